#!/usr/bin/env bash
# Makes the certificates of these tests anew. They secure nothing: their keys are public.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1"; }
# authority NAME
authority() {
    key "$1.key"
    openssl req -x509 -key "$1.key" -subj "/CN=$1" -days 36500 -out "$1.pem" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
}
# signed NAME AUTHORITY USE [END]
signed() {
    key "$1.key"
    openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=%s\nbasicConstraints=CA:FALSE\n' "$3" >"$1.ext"
    if [ $# -gt 3 ]; then
        touch index.txt && rm -rf issued && mkdir issued
        openssl ca -batch -config <(printf '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=issued\npolicy=p\ndefault_md=sha256\nrand_serial=yes\n[p]\ncommonName=supplied\n') \
            -in "$1.csr" -cert "$2.pem" -keyfile "$2.key" -startdate 20200101000000Z -enddate "$4" -extfile "$1.ext" -notext -out "$1.pem"
        rm -rf issued index.txt*
    else
        openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -days 36500 -extfile "$1.ext" -out "$1.pem"
    fi
    rm -f "$1.csr" "$1.ext"
}
authority authority
authority stranger
signed first authority serverAuth
signed second authority serverAuth
signed expired authority serverAuth 20200102000000Z
signed caller authority clientAuth
signed intruder stranger clientAuth
rm -f authority.key stranger.key ./*.srl
openssl pkcs8 -topk8 -in first.key -passout pass:secret -out encrypted.key
