use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::proof::tls::test_authority::{Authority, write};
use crate::proof::tls::{ClientCertificate, TlsError, TlsFiles, server_config};

fn good_files() -> (TempDir, TlsFiles) {
    let directory = TempDir::new().unwrap();
    let authority = Authority::new("authority");
    let files = authority.files(directory.path(), &authority.issue_server());
    (directory, files)
}

fn refusal(files: &TlsFiles) -> TlsError {
    server_config(files, &[], ClientCertificate::Require)
        .err()
        .expect("these files must be refused")
}

fn overwrite(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

#[test]
fn good_files_make_a_configuration_that_never_resumes_a_session() {
    let (_directory, files) = good_files();
    let config = server_config(&files, &[], ClientCertificate::Require).unwrap().config;

    assert!(!config.session_storage.can_cache());
    assert!(!config.ticketer.enabled());
    assert_eq!(config.send_tls13_tickets, 0);
    assert_eq!(config.max_early_data_size, 0);
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_to_run() {
    let (_directory, files) = good_files();
    for mode in [0o640, 0o604, 0o660, 0o601] {
        fs::set_permissions(&files.key, fs::Permissions::from_mode(mode)).unwrap();
        let text = refusal(&files).to_string();
        assert!(text.contains(&format!("run: chmod 600 {}", files.key.display())), "{text}");
        assert!(text.contains(&format!("{mode:04o}")), "{text}");
    }

    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(server_config(&files, &[], ClientCertificate::Require).is_ok());
}

#[test]
fn a_missing_file_is_named() {
    let (_directory, good) = good_files();
    let missing = Path::new("/nonexistent/file.pem");
    for files in [
        TlsFiles { certificate: missing.into(), ..good.clone() },
        TlsFiles { key: missing.into(), ..good.clone() },
        TlsFiles { client_ca: missing.into(), ..good.clone() },
    ] {
        let text = refusal(&files).to_string();
        assert!(text.starts_with("cannot read /nonexistent/file.pem: No such file"), "{text}");
    }
}

#[test]
fn a_file_without_what_it_is_for_is_named() {
    let (_directory, files) = good_files();
    let key = fs::read_to_string(&files.key).unwrap();

    overwrite(&files.key, &fs::read_to_string(&files.certificate).unwrap());
    assert!(
        refusal(&files)
            .to_string()
            .ends_with("server.key holds no private key (BEGIN PRIVATE KEY)")
    );
    overwrite(&files.certificate, &key);
    assert!(refusal(&files).to_string().contains("server.pem holds no certificate"));
    overwrite(&files.client_ca, "");
    assert!(refusal(&files).to_string().contains("ca.pem holds no certificate"));
}

#[test]
fn damaged_pem_is_refused() {
    let (_directory, files) = good_files();
    overwrite(&files.client_ca, "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    assert!(matches!(refusal(&files), TlsError::NotPem { path, .. } if path == files.client_ca));

    overwrite(&files.client_ca, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert!(matches!(refusal(&files), TlsError::Authority { position: 1, .. }));
}

#[test]
fn an_encrypted_key_is_refused_with_the_way_out() {
    let (_directory, files) = good_files();
    let label = "ENCRYPTED PRIVATE KEY";
    overwrite(&files.key, &format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n"));
    assert!(matches!(refusal(&files), TlsError::KeyEncrypted { .. }));
}

#[test]
fn a_key_that_does_not_belong_to_the_certificate_is_refused() {
    let (directory, files) = good_files();
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let key = write(directory.path(), "other.key", &other, 0o600);
    let refusal = refusal(&TlsFiles { key, ..files });
    assert!(matches!(refusal, TlsError::Pair { .. }), "{refusal}");
}
