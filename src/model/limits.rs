//! How much a graph can ask for: operators that make large values out of small files, and layers of absurd extent.
//!
//! Only what stands in the file is read; what a graph computes while it runs is bounded by what these let through.

use super::onnx::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto, type_proto};
use std::collections::BTreeMap;

/// Values that one constant shape may ask for.
const MOST_VALUES: i64 = 1 << 26;
/// Copies of its input that a node may make along all axes together.
const MOST_COPIES: i64 = 1 << 14;
/// Extent of kernels, strides, pads and sizes.
const MOST_EXTENT: i64 = 4096;

/// Numbers that stand in the file: weights and `Constant` nodes, by name.
pub(super) struct Constants<'a>(BTreeMap<&'a str, &'a TensorProto>);

impl<'a> Constants<'a> {
    pub(super) fn new(graph: &'a GraphProto) -> Self {
        let mut all: BTreeMap<&str, &TensorProto> = graph.initializer.iter().map(|t| (t.name(), t)).collect();
        for node in graph.node.iter().filter(|n| n.op_type() == "Constant") {
            if let (Some(name), Some(t)) = (node.output.first(), node.attribute.iter().find_map(|a| a.t.as_ref())) {
                all.insert(name, t);
            }
        }
        Self(all)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a TensorProto> {
        self.0.get(name).copied()
    }

    /// Up to 64 float32 values.
    pub(super) fn floats(&self, name: &str) -> Option<Vec<f64>> {
        let t = self.get(name).filter(|t| t.data_type() == 1)?;
        let values: Vec<f64> = match &t.raw_data {
            Some(raw) if raw.len() <= 256 => {
                raw.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect()
            }
            None if t.float_data.len() <= 64 => t.float_data.iter().map(|v| f64::from(*v)).collect(),
            _ => return None,
        };
        Some(values)
    }

    /// Up to 64 int64 values.
    pub(super) fn ints(&self, name: &str) -> Option<Vec<i64>> {
        let t = self.get(name).filter(|t| t.data_type() == 7)?;
        match &t.raw_data {
            Some(raw) if raw.len() <= 512 => {
                let eight = |b: &[u8]| i64::from_le_bytes(b.try_into().unwrap_or_default());
                Some(raw.chunks_exact(8).map(eight).collect())
            }
            None if t.int64_data.len() <= 64 => Some(t.int64_data.clone()),
            _ => None,
        }
    }
}

/// Declared extents (`None` where they are left open) and the element type.
pub(super) fn shape(value: &ValueInfoProto) -> (Vec<Option<usize>>, Option<i32>) {
    use super::onnx::tensor_shape_proto::dimension::Value;
    let Some(type_proto::Value::TensorType(t)) = value.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return (Vec::new(), None);
    };
    let dims = t.shape.as_ref().map_or(&[][..], |s| &s.dim);
    let extent = |d: &super::onnx::tensor_shape_proto::Dimension| match d.value.as_ref()? {
        Value::DimValue(v) => usize::try_from(*v).ok().filter(|v| *v > 0),
        Value::DimParam(_) => None,
    };
    (dims.iter().map(extent).collect(), t.elem_type)
}

/// What a node asks for that no classifier of images needs, in words.
pub(super) fn exceeded_limit(node: &NodeProto, constants: &Constants<'_>) -> Option<String> {
    let ints = |i: usize| node.input.get(i).and_then(|n| constants.ints(n));
    let floats = |i: usize| node.input.get(i).and_then(|n| constants.floats(n));
    let too_many = |values: Option<Vec<i64>>, most: i64| {
        let product = values?.iter().try_fold(1i64, |all, v| all.checked_mul((*v).max(1)));
        match product {
            Some(n) if n <= most => None,
            Some(n) => Some(format!("it makes {n} values")),
            None => Some("it makes more values than can be counted".into()),
        }
    };
    let too_wide = |values: &[i64]| {
        let far = values.iter().find(|v| v.unsigned_abs() > MOST_EXTENT.unsigned_abs())?;
        Some(format!("an extent of {far}"))
    };
    let by_input = match node.op_type() {
        "ConstantOfShape" => too_many(ints(0), MOST_VALUES),
        "Expand" => too_many(ints(1), MOST_VALUES),
        "Tile" => too_many(ints(1), MOST_COPIES),
        "OneHot" => too_many(ints(1), 1 << 20),
        "Range" => too_many(ints(1), MOST_VALUES),
        "Pad" => ints(1).and_then(|v| too_wide(&v)),
        "Resize" | "Upsample" => ints(3).and_then(|v| too_wide(&v)).or_else(|| {
            let scales = floats(1).into_iter().chain(floats(2)).flatten();
            let product = scales.fold(1.0, |all, v| all * v.abs().max(1.0));
            (product.is_nan() || product > 4096.0).then(|| format!("it enlarges {product} times"))
        }),
        _ => None,
    };
    by_input.or_else(|| node.attribute.iter().find_map(|a| attribute(node.op_type(), a, &too_many, &too_wide)))
}

fn attribute(
    op: &str,
    a: &AttributeProto,
    too_many: &dyn Fn(Option<Vec<i64>>, i64) -> Option<String>,
    too_wide: &dyn Fn(&[i64]) -> Option<String>,
) -> Option<String> {
    match a.name() {
        "pads" | "kernel_shape" | "dilations" | "strides" | "output_padding" | "output_shape" => too_wide(&a.ints),
        "blocksize" | "size" if a.i().unsigned_abs() > MOST_EXTENT.unsigned_abs() => {
            Some(format!("an extent of {}", a.i()))
        }
        "shape" if op.starts_with("Random") => too_many(Some(a.ints.clone()), MOST_VALUES),
        "scales" => {
            let product = a.floats.iter().fold(1.0f32, |all, v| all * v.abs().max(1.0));
            (product.is_nan() || product > 4096.0).then(|| format!("it enlarges {product} times"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(op: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> NodeProto {
        NodeProto {
            op_type: Some(op.into()),
            input: inputs.iter().map(ToString::to_string).collect(),
            attribute,
            ..NodeProto::default()
        }
    }

    #[test]
    fn small_files_that_ask_for_much_are_named() {
        let long = |name: &str, v: Vec<i64>| TensorProto {
            name: Some(name.into()),
            dims: vec![i64::try_from(v.len()).expect("small")],
            data_type: Some(7),
            int64_data: v,
            ..TensorProto::default()
        };
        let graph = GraphProto {
            initializer: vec![
                long("huge", vec![1 << 40, 1 << 40]),
                long("large", vec![9000, 9000]),
                long("fine", vec![1, 64]),
            ],
            ..GraphProto::default()
        };
        let constants = Constants::new(&graph);
        let ask = |n: &NodeProto| exceeded_limit(n, &constants);
        assert!(ask(&node("ConstantOfShape", &["huge"], vec![])).is_some());
        assert!(ask(&node("Expand", &["x", "large"], vec![])).is_some_and(|w| w.contains("81000000")));
        assert!(ask(&node("Tile", &["x", "large"], vec![])).is_some());
        assert_eq!(ask(&node("Tile", &["x", "fine"], vec![])), None);
        assert_eq!(ask(&node("Expand", &["x", "computed"], vec![])), None);
        let pads =
            AttributeProto { name: Some("pads".into()), ints: vec![0, 1 << 30, 0, 0], ..AttributeProto::default() };
        assert!(ask(&node("Conv", &["x", "w"], vec![pads])).is_some());
    }
}
