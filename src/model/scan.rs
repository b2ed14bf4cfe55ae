//! A walk over the protobuf bytes before anything is decoded, so that a small file cannot ask for a large memory.
//!
//! It checks that every length lies inside the file and weighs everything that is not weights: decoded messages
//! take up to a few hundred times their encoded size, weights only their own.

/// Structure may have this many encoded bytes; MobileNetV2's has 14 thousand.
const MAX_STRUCTURE: usize = 4 << 20;

/// A metadata entry weighs this part of its length: the record of what a model learnt from takes 140 bytes an image, and a model may
/// have learnt from a hundred thousand.
const METADATA_SHARE: usize = 6;

/// What is wrong with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScanError {
    /// The bytes are no protobuf message at all.
    NotProtobuf,
    /// A field says it is longer than what is left.
    Truncated,
    /// Too much that is not weights.
    Structure(usize),
}

struct Field<'a> {
    number: u64,
    body: &'a [u8],
    encoded: usize,
}

/// Checks a whole `ModelProto`.
pub(super) fn scan(bytes: &[u8]) -> Result<(), ScanError> {
    let mut structure = 0;
    let mut graphs = 0;
    let mut known = 0;
    each(bytes, &mut |model| {
        // ModelProto.graph = 7
        if model.number == 7 {
            graphs += 1;
            each(model.body, &mut |graph| {
                match graph.number {
                    // GraphProto.initializer
                    5 => weigh_tensor(graph.body, &mut structure),
                    // GraphProto.node: exporters put weights into Constant nodes, too.
                    1 => each(graph.body, &mut |node| {
                        // NodeProto.attribute
                        if node.number != 5 {
                            structure += node.encoded;
                            return Ok(());
                        }
                        // A node without any content is still a node in memory.
                        structure += 16;
                        each(node.body, &mut |attribute| {
                            // AttributeProto.t
                            if attribute.number == 5 {
                                structure += 16;
                                return weigh_tensor(attribute.body, &mut structure);
                            }
                            structure += attribute.encoded;
                            Ok(())
                        })
                    })
                    .map(|()| structure += 16),
                    _ => {
                        structure += graph.encoded;
                        Ok(())
                    }
                }
            })
        } else {
            known += usize::from((1..=25).contains(&model.number));
            // ModelProto.metadata_props = 14: two texts, which decoded take what they take in the file.
            structure += if model.number == 14 { 64 + model.encoded / METADATA_SHARE } else { model.encoded };
            Ok(())
        }
    })?;
    if graphs == 0 || known == 0 {
        return Err(ScanError::NotProtobuf);
    }
    if structure > MAX_STRUCTURE {
        return Err(ScanError::Structure(structure));
    }
    Ok(())
}

/// Weights weigh nothing here: decoded they take what they take in the file.
fn weigh_tensor(bytes: &[u8], structure: &mut usize) -> Result<(), ScanError> {
    each(bytes, &mut |tensor| {
        // TensorProto.raw_data = 9, float_data = 4
        *structure += if matches!(tensor.number, 4 | 9) { 16 } else { tensor.encoded };
        Ok(())
    })
}

fn each(mut bytes: &[u8], visit: &mut dyn FnMut(Field<'_>) -> Result<(), ScanError>) -> Result<(), ScanError> {
    while !bytes.is_empty() {
        let before = bytes.len();
        let key = varint(&mut bytes)?;
        let body = match key & 7 {
            0 => {
                varint(&mut bytes)?;
                &[][..]
            }
            1 => take(&mut bytes, 8)?,
            2 => {
                let n = varint(&mut bytes)?;
                take(&mut bytes, usize::try_from(n).map_err(|_| ScanError::Truncated)?)?
            }
            5 => take(&mut bytes, 4)?,
            _ => return Err(ScanError::NotProtobuf),
        };
        visit(Field { number: key >> 3, body, encoded: before - bytes.len() })?;
    }
    Ok(())
}

fn take<'a>(bytes: &mut &'a [u8], n: usize) -> Result<&'a [u8], ScanError> {
    let (head, tail) = bytes.split_at_checked(n).ok_or(ScanError::Truncated)?;
    *bytes = tail;
    Ok(head)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, ScanError> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (&b, tail) = bytes.split_first().ok_or(ScanError::Truncated)?;
        *bytes = tail;
        value |= u64::from(b & 0x7f).checked_shl(shift).unwrap_or(0);
        if b < 0x80 {
            return Ok(value);
        }
    }
    Err(ScanError::NotProtobuf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_model_passes_and_no_prefix_of_it_does() {
        let bytes = super::super::embedded_bytes();
        assert_eq!(scan(bytes), Ok(()));
        for n in [0, 1, 10, 1000, 100_000, bytes.len() - 1] {
            assert!(scan(&bytes[..n]).is_err(), "{n}");
        }
        assert_eq!(scan(b"this is a text file, nothing more"), Err(ScanError::NotProtobuf));
    }

    #[test]
    fn a_million_empty_nodes_are_refused_before_they_are_decoded() {
        let nodes: Vec<u8> = [0x0a, 0x00].repeat(4 << 20);
        let mut bytes = vec![0x08, 0x08, 0x3a];
        let mut n = nodes.len();
        while n >= 0x80 {
            bytes.push(u8::try_from(n & 0x7f).expect("seven bits") | 0x80);
            n >>= 7;
        }
        bytes.push(u8::try_from(n).expect("seven bits"));
        bytes.extend(nodes);
        assert!(matches!(scan(&bytes), Err(ScanError::Structure(_))));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_end_in_a_verdict(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = scan(&bytes);
        }
    }
}
