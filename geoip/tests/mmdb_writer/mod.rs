//! Writes small MMDB files, so that layouts nobody may ship can be tested.
//!
//! Format: https://maxmind.github.io/MaxMind-DB/. Records of 24 bits, no pointers, one data entry per network.

use std::net::IpAddr;

use ipnet::IpNet;

/// A value of the data section.
pub enum Value {
    Text(&'static str),
    Double(f64),
    Float(f32),
    Short(u16),
    Uint(u32),
    Long(u64),
    List(Vec<Value>),
    Bool(bool),
    Map(Vec<(&'static str, Value)>),
}

/// The bytes of a database of this type with these networks. `ip_version` 4 or 6, as in the metadata.
pub fn write(database_type: &'static str, ip_version: u16, rows: Vec<(&str, Value)>) -> Vec<u8> {
    let mut tree = vec![[Child::Nothing; 2]];
    let mut data = Vec::new();
    for (network, value) in rows {
        let offset = data.len();
        encode(&value, &mut data);
        insert(&mut tree, &bits(network.parse().expect("a CIDR"), ip_version), offset);
    }
    file_of(database_type, ip_version, &tree, data)
}

/// A tree whose every node points twice at the next one: `layers` nodes, but two to the power of `layers` leaves.
/// The leaves hold the value, or nothing.
pub fn write_folded(database_type: &'static str, layers: usize, leaf: Option<Value>) -> Vec<u8> {
    let mut data = Vec::new();
    let last = leaf.map_or(Child::Nothing, |value| {
        encode(&value, &mut data);
        Child::Data(0)
    });
    let mut tree: Vec<[Child; 2]> = (1..layers).map(|next| [Child::Node(next); 2]).collect();
    tree.push([last; 2]);
    file_of(database_type, 6, &tree, data)
}

fn file_of(database_type: &'static str, ip_version: u16, tree: &[[Child; 2]], data: Vec<u8>) -> Vec<u8> {
    let nodes = tree.len();
    let mut file = Vec::new();
    for child in tree.iter().flatten() {
        let record = match child {
            Child::Nothing => nodes,
            Child::Node(at) => *at,
            Child::Data(offset) => nodes + 16 + offset,
        };
        file.extend_from_slice(&u32::try_from(record).expect("a small file").to_be_bytes()[1..]);
    }
    file.extend_from_slice(&[0; 16]);
    file.extend(data);
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let metadata = Value::Map(vec![
        ("binary_format_major_version", Value::Short(2)),
        ("binary_format_minor_version", Value::Short(0)),
        ("build_epoch", Value::Long(1_750_000_000)),
        ("database_type", Value::Text(database_type)),
        ("description", Value::Map(vec![])),
        ("ip_version", Value::Short(ip_version)),
        ("languages", Value::List(vec![])),
        ("node_count", Value::Uint(u32::try_from(nodes).expect("a small file"))),
        ("record_size", Value::Short(24)),
    ]);
    encode(&metadata, &mut file);
    file
}

#[derive(Clone, Copy)]
enum Child {
    Nothing,
    Node(usize),
    Data(usize),
}

fn bits(network: IpNet, ip_version: u16) -> Vec<usize> {
    let (number, length, width) = match (network.network(), ip_version) {
        (IpAddr::V4(four), 4) => (u128::from(four.to_bits()), network.prefix_len(), 32),
        // An IPv6 tree keeps IPv4 under ::/96.
        (IpAddr::V4(four), _) => (u128::from(four.to_bits()), network.prefix_len() + 96, 128),
        (IpAddr::V6(six), _) => (six.to_bits(), network.prefix_len(), 128),
    };
    (0..length).map(|at| ((number >> (width - 1 - u32::from(at))) & 1) as usize).collect()
}

fn insert(tree: &mut Vec<[Child; 2]>, path: &[usize], offset: usize) {
    let (last, inner) = path.split_last().expect("not the whole address space");
    let mut node = 0;
    for bit in inner {
        node = match tree[node][*bit] {
            Child::Node(next) => next,
            Child::Nothing => {
                tree.push([Child::Nothing; 2]);
                let next = tree.len() - 1;
                tree[node][*bit] = Child::Node(next);
                next
            }
            Child::Data(_) => panic!("networks of a test must not overlap"),
        };
    }
    tree[node][*last] = Child::Data(offset);
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => {
            control(2, text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Double(number) => {
            control(3, 8, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Float(number) => {
            control(15, 4, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Short(number) => {
            control(5, 2, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Long(number) => {
            control(9, 8, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::List(values) => {
            control(11, values.len(), out);
            values.iter().for_each(|value| encode(value, out));
        }
        Value::Uint(number) => {
            control(6, 4, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Bool(truth) => control(14, usize::from(*truth), out),
        Value::Map(entries) => {
            control(7, entries.len(), out);
            for (key, value) in entries {
                encode(&Value::Text(key), out);
                encode(value, out);
            }
        }
    }
}

/// Types past 7 are written as "extended": 0 and the type less 7.
fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    let (short, long) = match size {
        0..=28 => (u8::try_from(size).expect("small"), None),
        _ => (29, Some(u8::try_from(size - 29).expect("values of a test are short"))),
    };
    match kind {
        1..=7 => out.push(kind << 5 | short),
        _ => out.extend_from_slice(&[short, kind - 7]),
    }
    out.extend(long);
}
