//! A copy of a model file with another manifest. Every other byte of the file stays as it is: what this program does not
//! know of a file is not lost.

use super::card::{MANIFEST_KEY, Manifest};
use super::onnx::StringStringEntryProto;
use prost::Message as _;

/// Number of `metadata_props` in ONNX's ModelProto.
const METADATA: u64 = 14;

/// The manifest's text, where the file has one.
pub fn manifest_text(bytes: &[u8]) -> Option<String> {
    fields(bytes)?.into_iter().find_map(|(number, _, value)| {
        let entry = (number == METADATA).then(|| StringStringEntryProto::decode(value).ok()).flatten()?;
        (entry.key() == MANIFEST_KEY).then(|| entry.value().to_owned())
    })
}

/// The file with `manifest` in the place of its own; `None` where it is not a protobuf message.
pub fn with_manifest(bytes: &[u8], manifest: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len() + manifest.len() + 64);
    for (number, whole, value) in fields(bytes)? {
        let own = number == METADATA && StringStringEntryProto::decode(value).is_ok_and(|e| e.key() == MANIFEST_KEY);
        if !own {
            out.extend_from_slice(whole);
        }
    }
    let entry = StringStringEntryProto { key: Some(MANIFEST_KEY.into()), value: Some(manifest.into()) };
    let body = entry.encode_to_vec();
    prost::encoding::encode_varint(METADATA << 3 | 2, &mut out);
    prost::encoding::encode_varint(body.len() as u64, &mut out);
    out.extend_from_slice(&body);
    Some(out)
}

/// Why a manifest cannot be read from a file, or put into one.
#[derive(Debug, thiserror::Error)]
pub enum ManifestFileError {
    /// It is not what this version understands.
    #[error("the model's manifest: {0}")]
    Json(#[from] serde_json::Error),
    /// The file is not a protobuf message.
    #[error("the model's file cannot be written again")]
    NotOnnx,
}

impl Manifest {
    /// The manifest that a model file carries; `None` where it carries none.
    ///
    /// # Errors
    /// Where its text is not understood.
    pub fn read(file: &[u8]) -> Result<Option<Self>, ManifestFileError> {
        Ok(manifest_text(file).map(|text| serde_json::from_str(&text)).transpose()?)
    }

    /// The model file with this manifest in the place of its own.
    ///
    /// # Errors
    /// Where the file is not an ONNX file.
    pub fn put_into(&self, file: &[u8]) -> Result<Vec<u8>, ManifestFileError> {
        with_manifest(file, &serde_json::to_string(self)?).ok_or(ManifestFileError::NotOnnx)
    }
}

/// A field: its number, its whole bytes, and its content where it is length-delimited.
type Field<'a> = (u64, &'a [u8], &'a [u8]);

/// Number, whole bytes and (of length-delimited ones) content of each field of a message.
fn fields(bytes: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let mut at = rest;
        let key = prost::encoding::decode_varint(&mut at).ok()?;
        let value = match key & 7 {
            0 => {
                prost::encoding::decode_varint(&mut at).ok()?;
                &[][..]
            }
            1 => at.split_off(..8).map(|_| &[][..])?,
            5 => at.split_off(..4).map(|_| &[][..])?,
            2 => {
                let len = usize::try_from(prost::encoding::decode_varint(&mut at).ok()?).ok()?;
                at.split_off(..len)?
            }
            _ => return None,
        };
        out.push((key >> 3, &rest[..rest.len() - at.len()], value));
        rest = at;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::embedded_bytes;

    #[test]
    fn only_the_manifest_changes() {
        let old = embedded_bytes();
        let text = manifest_text(old).expect("a manifest");
        let new = with_manifest(old, &format!("{text} ")).expect("a message");
        assert_eq!(manifest_text(&new).as_deref(), Some(format!("{text} ").as_str()));
        let strip = |bytes: &[u8]| {
            let keep = |(n, whole, value): Field<'_>| {
                let own = n == METADATA && StringStringEntryProto::decode(value).is_ok_and(|e| e.key() == MANIFEST_KEY);
                (!own).then(|| whole.to_vec())
            };
            fields(bytes).expect("fields").into_iter().filter_map(keep).collect::<Vec<_>>()
        };
        assert_eq!(strip(old), strip(&new));
        // What nobody here knows stays, at every depth.
        let mut with: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for part in ["/input", "/preprocessing", "/outputs", ""] {
            with.pointer_mut(part).and_then(|v| v.as_object_mut()).expect("a part").insert("newer".into(), part.into());
        }
        let read: Manifest = serde_json::from_value(with.clone()).expect("a manifest");
        let again = serde_json::to_value(&read).expect("JSON");
        for part in ["/input", "/preprocessing", "/outputs", ""] {
            assert_eq!(again.pointer(&format!("{part}/newer")), with.pointer(&format!("{part}/newer")), "{part}");
        }
        assert!(with_manifest(b"\x0a\xff", "x").is_none());
    }
}
