//! Somebody who signs calls, for tests.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256,
};

use super::{CertificateStore, Signer, Verifier};

pub(crate) const URL: &str = "https://sti.example/709A.pem";
pub(crate) const ORIGID: &str = "123e4567-e89b-12d3-a456-426655440000";
/// SEQUENCE of one `spc`.
pub(crate) const PROVIDER: &[u8] = &[0x30, 8, 0xa0, 6, 0x16, 4, b'7', b'0', b'9', b'A'];

/// Somebody who signs calls, and the authority that lets him.
pub(crate) struct Carrier {
    pub(crate) folder: tempfile::TempDir,
}

impl Carrier {
    /// With this TNAuthList, or without any.
    pub(crate) fn new(authorization: Option<&[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let named = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let mut root = named("root");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_key = key();
        let authority = root.self_signed(&root_key).unwrap();
        let issuer = Issuer::new(root, root_key);
        let mut leaf = named("709A");
        leaf.custom_extensions = authorization
            .map(|der| {
                CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 26], der.to_vec())
            })
            .into_iter()
            .collect();
        let leaf_key = key();
        let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
        let write = |name: &str, text: String| {
            use std::os::unix::fs::PermissionsExt as _;
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        };
        write("root.pem", authority.pem());
        write("leaf.pem", leaf.pem());
        write("key.pem", leaf_key.serialize_pem());
        Self { folder }
    }

    pub(crate) fn signer(&self) -> Signer {
        let key = self.folder.path().join("key.pem");
        Signer::load(&key, URL, &ORIGID.parse().unwrap()).unwrap()
    }

    pub(crate) fn store(&self) -> CertificateStore {
        let mut store = CertificateStore::believing(&self.folder.path().join("root.pem")).unwrap();
        store.add(URL, &self.folder.path().join("leaf.pem")).unwrap();
        store
    }

    pub(crate) fn verifier(&self) -> Verifier {
        Verifier::new(self.store(), Duration::from_mins(1))
    }
}
