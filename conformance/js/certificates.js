// An authority and a certificate for this machine that it has signed, made by the openssl command.

import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const NAMES = "DNS:localhost,DNS:sqs.eu-west-1.localhost,IP:127.0.0.1";

/** Makes them in a folder: the authority's certificate as text, and the paths of the server's certificate and key. */
export async function makeCertificates(folder) {
  const openssl = (...words) => promisify(execFile)("openssl", words, { cwd: folder });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl(
    "req", "-x509", ...key, "-days", "2", "-subj", "/CN=authority", "-keyout", "authority.key", "-out", "authority.pem",
    "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign",
  );
  await openssl("req", ...key, "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr");
  const usage = `subjectAltName=${NAMES}\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n`;
  await writeFile(join(folder, "server.ext"), usage);
  await openssl(
    "x509", "-req", "-in", "server.csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial",
    "-days", "2", "-extfile", "server.ext", "-out", "server.pem",
  );
  const authority = await readFile(join(folder, "authority.pem"), "utf8");
  return { authority, certificate: join(folder, "server.pem"), key: join(folder, "server.key") };
}
