//! Encrypt, Decrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext, ReEncrypt.

use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use kew_wire::Text;
use kew_wire::fault::Fault;
use kew_wire::kms::{
    DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse, GenerateDataKeyRequest,
    GenerateDataKeyResponse, GenerateDataKeyWithoutPlaintextRequest, GenerateDataKeyWithoutPlaintextResponse,
    ReEncryptRequest, ReEncryptResponse, faults as kinds,
};
use zeroize::Zeroizing;

use super::Context;
use crate::services::kms::key::Key;
use crate::services::kms::state::State;
use crate::services::kms::{faults, limits};

const ALGORITHM: Text = Text::from_static("SYMMETRIC_DEFAULT");

type Pairs = Vec<(Text, Text)>;

pub(super) fn encrypt(
    state: &State,
    context: &Context<'_>,
    request: EncryptRequest,
) -> Result<EncryptResponse, Fault> {
    check_extras(request.encryption_algorithm.as_ref(), &request.grant_tokens, false)?;
    check_pairs("encryptionContext", &request.encryption_context)?;
    check_length("plaintext", request.plaintext.len(), limits::PLAINTEXT_BYTES)?;
    let key = context.key(state, &request.key_id, "kms:Encrypt", &request.encryption_context)?;
    key.check_usable()?;
    check_dry_run(request.dry_run)?;
    Ok(EncryptResponse {
        ciphertext_blob: Some(key.encrypt(context.cipher, &request.encryption_context, &request.plaintext)),
        key_id: Some(key.arn()),
        encryption_algorithm: Some(ALGORITHM),
    })
}

pub(super) fn decrypt(
    state: &State,
    context: &Context<'_>,
    request: DecryptRequest,
) -> Result<DecryptResponse, Fault> {
    check_extras(request.encryption_algorithm.as_ref(), &request.grant_tokens, request.recipient.is_some())?;
    check_pairs("encryptionContext", &request.encryption_context)?;
    let blob = request.ciphertext_blob.ok_or_else(|| faults::missing("ciphertextBlob"))?;
    check_length("ciphertextBlob", blob.len(), limits::CIPHERTEXT_BYTES)?;
    let key =
        source(state, context, &blob, request.key_id.as_ref(), ("kms:Decrypt", &request.encryption_context))?;
    let plain = key.decrypt(context.cipher, &request.encryption_context, &blob)?;
    check_dry_run(request.dry_run)?;
    Ok(DecryptResponse {
        key_id: Some(key.arn()),
        plaintext: Some(Bytes::from_owner(plain)),
        encryption_algorithm: Some(ALGORITHM),
        ..DecryptResponse::default()
    })
}

pub(super) fn re_encrypt(
    state: &State,
    context: &Context<'_>,
    request: ReEncryptRequest,
) -> Result<ReEncryptResponse, Fault> {
    check_extras(request.source_encryption_algorithm.as_ref(), &request.grant_tokens, false)?;
    check_extras(request.destination_encryption_algorithm.as_ref(), &[], false)?;
    check_pairs("sourceEncryptionContext", &request.source_encryption_context)?;
    check_pairs("destinationEncryptionContext", &request.destination_encryption_context)?;
    let blob = request.ciphertext_blob.ok_or_else(|| faults::missing("ciphertextBlob"))?;
    check_length("ciphertextBlob", blob.len(), limits::CIPHERTEXT_BYTES)?;
    let from = source(
        state,
        context,
        &blob,
        request.source_key_id.as_ref(),
        ("kms:ReEncryptFrom", &request.source_encryption_context),
    )?;
    let to = context.key(
        state,
        &request.destination_key_id,
        "kms:ReEncryptTo",
        &request.destination_encryption_context,
    )?;
    to.check_usable()?;
    let plain = from.decrypt(context.cipher, &request.source_encryption_context, &blob)?;
    check_dry_run(request.dry_run)?;
    let sealed = to.encrypt(context.cipher, &request.destination_encryption_context, &plain);
    Ok(ReEncryptResponse {
        ciphertext_blob: Some(sealed),
        source_key_id: Some(from.arn()),
        key_id: Some(to.arn()),
        source_encryption_algorithm: Some(ALGORITHM),
        destination_encryption_algorithm: Some(ALGORITHM),
        ..ReEncryptResponse::default()
    })
}

pub(super) fn generate(
    state: &State,
    context: &Context<'_>,
    request: GenerateDataKeyRequest,
) -> Result<GenerateDataKeyResponse, Fault> {
    check_extras(None, &request.grant_tokens, request.recipient.is_some())?;
    check_pairs("encryptionContext", &request.encryption_context)?;
    let length = length(request.number_of_bytes, request.key_spec.as_ref())?;
    let (key, plain, sealed) = draw(
        state,
        context,
        &request.key_id,
        (length, &request.encryption_context, request.dry_run),
        "kms:GenerateDataKey",
    )?;
    Ok(GenerateDataKeyResponse {
        ciphertext_blob: Some(sealed),
        plaintext: Some(Bytes::from_owner(plain)),
        key_id: Some(key.arn()),
        ..GenerateDataKeyResponse::default()
    })
}

pub(super) fn generate_sealed(
    state: &State,
    context: &Context<'_>,
    request: GenerateDataKeyWithoutPlaintextRequest,
) -> Result<GenerateDataKeyWithoutPlaintextResponse, Fault> {
    check_extras(None, &request.grant_tokens, false)?;
    check_pairs("encryptionContext", &request.encryption_context)?;
    let length = length(request.number_of_bytes, request.key_spec.as_ref())?;
    let (key, _, sealed) = draw(
        state,
        context,
        &request.key_id,
        (length, &request.encryption_context, request.dry_run),
        "kms:GenerateDataKeyWithoutPlaintext",
    )?;
    Ok(GenerateDataKeyWithoutPlaintextResponse {
        ciphertext_blob: Some(sealed),
        key_id: Some(key.arn()),
        ..GenerateDataKeyWithoutPlaintextResponse::default()
    })
}

/// A new data key, in plain and encrypted.
fn draw<'a>(
    state: &'a State,
    context: &Context<'_>,
    given: &Text,
    (length, pairs, dry_run): (usize, &Pairs, Option<bool>),
    action: &'static str,
) -> Result<(&'a Key, Zeroizing<Vec<u8>>, Bytes), Fault> {
    let key = context.key(state, given, action, pairs)?;
    key.check_usable()?;
    check_dry_run(dry_run)?;
    let mut plain = Zeroizing::new(vec![0; length]);
    context.cipher.fill(&mut plain);
    let sealed = key.encrypt(context.cipher, pairs, &plain);
    Ok((key, plain, sealed))
}

/// The key that made a ciphertext, if the caller may use it so, and means no other.
fn source<'a>(
    state: &'a State,
    context: &Context<'_>,
    blob: &Bytes,
    meant: Option<&Text>,
    (action, pairs): (&'static str, &Pairs),
) -> Result<&'a Key, Fault> {
    let meant = meant.map(|given| context.key(state, given, action, pairs)).transpose()?;
    let key = state.encryptor(blob);
    // A key serves its own region alone.
    let key =
        key.filter(|key| *key.region == *context.caller.region).ok_or_else(faults::invalid_ciphertext)?;
    context.check(key, action, pairs)?;
    if meant.is_some_and(|meant| meant.id != key.id) {
        return Err(Fault::new(
            &kinds::INCORRECT_KEY_EXCEPTION,
            "The key ID in the request does not identify a CMK that can perform this operation.",
        ));
    }
    key.check_usable()?;
    Ok(key)
}

/// How many bytes a data key shall have.
fn length(bytes: Option<i32>, spec: Option<&Text>) -> Result<usize, Fault> {
    match (bytes, spec.map(|spec| &**spec)) {
        (Some(bytes), None) if (1..=limits::DATA_KEY_BYTES).contains(&bytes) => Ok(bytes as usize),
        (Some(bytes), None) => {
            let constraint = if bytes < 1 {
                "Member must have value greater than or equal to 1"
            } else {
                "Member must have value less than or equal to 1024"
            };
            Err(faults::constraint(&alloc::format!("{bytes}"), "numberOfBytes", constraint))
        }
        (None, Some("AES_256")) => Ok(32),
        (None, Some("AES_128")) => Ok(16),
        (None, Some(other)) => {
            let constraint = "Member must satisfy enum value set: [AES_256, AES_128]";
            Err(faults::constraint(other, "keySpec", constraint))
        }
        _ => Err(faults::validation("Please specify either number of bytes or key spec.")),
    }
}

fn check_length(member: &str, length: usize, most: usize) -> Result<(), Fault> {
    let constraint = match length {
        0 => "Member must have length greater than or equal to 1".into(),
        length if length > most => alloc::format!("Member must have length less than or equal to {most}"),
        _ => return Ok(()),
    };
    let message = alloc::format!(
        "1 validation error detected: Value at '{member}' failed to satisfy constraint: {constraint}"
    );
    Err(faults::validation(message))
}

/// Refuses an encryption context that is too long: our words. Pairs count too, for they may be empty.
fn check_pairs(member: &str, pairs: &Pairs) -> Result<(), Fault> {
    let most = limits::ENCRYPTION_CONTEXT_BYTES;
    let bytes: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    if pairs.len().max(bytes) <= most {
        return Ok(());
    }
    let message = alloc::format!(
        "1 validation error detected: Value at '{member}' failed to satisfy constraint: All keys and values together must have at most {most} bytes"
    );
    Err(faults::validation(message))
}

/// Refuses what symmetric keys here do not do.
fn check_extras(algorithm: Option<&Text>, grant_tokens: &[Text], recipient: bool) -> Result<(), Fault> {
    if let Some(other) = algorithm.filter(|given| **given != ALGORITHM) {
        let message = alloc::format!("Algorithm {other} is incompatible with key spec SYMMETRIC_DEFAULT.");
        return Err(Fault::new(&kinds::INVALID_KEY_USAGE_EXCEPTION, message));
    }
    if recipient {
        return Err(faults::unsupported("Recipient"));
    }
    if !grant_tokens.is_empty() {
        // There are no grants.
        return Err(Fault::new(&kinds::INVALID_GRANT_TOKEN_EXCEPTION, ""));
    }
    Ok(())
}

fn check_dry_run(asked: Option<bool>) -> Result<(), Fault> {
    if asked == Some(true) { Err(faults::dry_run()) } else { Ok(()) }
}
