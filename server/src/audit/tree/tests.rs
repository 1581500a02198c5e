use proptest::prelude::*;

use super::*;

/// The eight leaves of the Certificate Transparency reference tree, and the roots over the first 0..=8 of them.
const LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hex(hash: &Hash) -> String {
    crate::audit::note::hex(hash)
}

fn reference() -> Vec<Hash> {
    LEAVES.iter().map(|leaf| leaf_hash(leaf)).collect()
}

#[test]
fn roots_of_the_reference_tree_are_the_published_ones() {
    for (size, expected) in ROOTS.iter().enumerate() {
        assert_eq!(hex(&root(&reference()[..size])), *expected, "size {size}");
    }
}

#[test]
fn inclusion_proofs_of_the_reference_tree_are_the_published_ones() {
    let proof = inclusion_proof(0, &reference()).unwrap();
    let expected = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ];
    assert_eq!(proof.iter().map(hex).collect::<Vec<_>>(), expected);
    assert_eq!(inclusion_proof(0, &reference()[..1]), Some(vec![]));
    assert_eq!(inclusion_proof(8, &reference()), None);
}

#[test]
fn consistency_proofs_of_the_reference_tree_are_the_published_ones() {
    let cases: [(usize, usize, &[&str]); 4] = [
        (1, 1, &[]),
        (
            1,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            &[
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ];
    for (old, new, expected) in cases {
        let proof = consistency_proof(old, &reference()[..new]).unwrap();
        assert_eq!(proof.iter().map(hex).collect::<Vec<_>>(), expected, "{old} to {new}");
    }
    assert_eq!(consistency_proof(0, &reference()), None);
    assert_eq!(consistency_proof(9, &reference()), None);
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

proptest! {
    #[test]
    fn a_frontier_has_the_root_of_its_leaves_wherever_it_was_resumed(size in 0usize..300, cut in 0usize..300) {
        let all = leaves(size);
        let mut frontier = Frontier::default();
        for (at, leaf) in all.iter().enumerate() {
            if at == cut {
                frontier = Frontier::resume(frontier.size(), frontier.peaks().to_vec()).unwrap();
            }
            frontier.push(*leaf);
        }
        prop_assert_eq!(frontier.root(), recursive(&all));
        prop_assert_eq!(frontier.size(), size as u64);
    }

    #[test]
    fn an_inclusion_proof_fits_its_leaf_place_and_tree_only(size in 1usize..200, at in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let all = leaves(size);
        let (at, other) = (at.index(size), other.index(size));
        let proof = inclusion_proof(at, &all).unwrap();
        let top = root(&all);
        prop_assert!(verify_inclusion(&all[at], at as u64, size as u64, &proof, &top));
        prop_assert_eq!(verify_inclusion(&all[other], other as u64, size as u64, &proof, &top), at == other);
        prop_assert!(!verify_inclusion(&all[at], at as u64, size as u64, &proof, &leaf_hash(b"another root")));
        prop_assert!(!verify_inclusion(&all[at], size as u64, size as u64, &proof, &top));
        let mut longer = proof.clone();
        longer.push(top);
        prop_assert!(!verify_inclusion(&all[at], at as u64, size as u64, &longer, &top));
        if let Some(shorter) = proof.get(1..) {
            prop_assert!(!verify_inclusion(&all[at], at as u64, size as u64, shorter, &top));
        }
    }

    #[test]
    fn a_consistency_proof_fits_its_two_trees_only(new in 1usize..200, old in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>()) {
        let all = leaves(new);
        let old = old.index(new) + 1;
        let (before, after) = (root(&all[..old]), root(&all));
        let proof = consistency_proof(old, &all).unwrap();
        prop_assert!(verify_consistency(old as u64, &before, new as u64, &after, &proof));
        // Another beginning of the same length is found out.
        let mut forked = all.clone();
        let at = flip.index(old);
        forked[at] = leaf_hash(b"rewritten");
        prop_assert!(!verify_consistency(old as u64, &root(&forked[..old]), new as u64, &after, &proof));
        if !proof.is_empty() {
            let mut bent = proof.clone();
            let at = flip.index(bent.len());
            bent[at][0] ^= 1;
            prop_assert!(!verify_consistency(old as u64, &before, new as u64, &after, &bent));
            prop_assert!(!verify_consistency(old as u64, &before, new as u64, &after, &proof[1..]));
        }
    }
}

/// RFC 6962 §2.1 read aloud: the definition the production code is compared with.
fn recursive(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&recursive(left), &recursive(right))
        }
    }
}
