/// Mixes `value` under a secret `seed`, so that nobody outside can tell which values share a place in a
/// table. Not a cryptographic hash: what an attacker gains by guessing it is stated at each use.
///
/// Every bit of the result depends on every bit of `value` (the finaliser of `MurmurHash3` by A. Appleby).
#[inline(always)]
pub(crate) const fn mix(value: u64, seed: u64) -> u64 {
    let mut hash = value ^ seed;
    hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}
