//! TLS with an authority of one's own, and with one that nobody knows.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    thread,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::*;

/// The file of an authority.
fn authority(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join(format!("src/audit/rest/recorded/tls/{name}.pem"))
}

/// Starts a server with this certificate, which answers that the token is wrong. It ends with the process: then nobody
/// asks it any more.
fn server(certificate: &[u8]) -> SocketAddr {
    let key = include_bytes!("../recorded/tls/server.key");
    let key = PrivateKeyDer::from_pem_slice(key).unwrap();
    let certificate = CertificateDer::from_pem_slice(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            let _asked = stream.read(&mut [0; 4096]);
            let _unread = stream.write_all(
                b"HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\nAPI-Version: 4.7\r\n\
                  connection: close\r\ncontent-length: 18\r\n\r\n{\"detail\":\"wrong\"}",
            );
            stream.conn.send_close_notify();
            let _flushed = stream.flush();
        }
    });
    address
}

fn localhost() -> SocketAddr {
    server(include_bytes!("../recorded/tls/localhost.pem"))
}

fn failure(server: SocketAddr, ca: Option<PathBuf>) -> String {
    let settings = Settings {
        url: format!("https://localhost:{}", server.port()),
        token: Token::new(TOKEN).unwrap(),
        ca,
        plain: false,
        page: 1000,
        limits: Limits { attempts: 1, ..Limits::default() },
    };
    read(&settings, &[]).unwrap_err().to_string()
}

#[test]
fn an_authority_of_ones_own_is_trusted_and_no_other() {
    let error = failure(localhost(), Some(authority("ours")));
    assert!(error.contains("does not accept the token (status 403): wrong"), "{error}");
    let error = failure(localhost(), Some(authority("other")));
    assert!(error.contains("is not who it should be") && error.contains("--ca"), "{error}");
    // A machine may have no authorities at all.
    let error = failure(localhost(), None);
    assert!(
        error.contains("is not who it should be") || error.contains("has no certificates"),
        "{error}"
    );
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let server = server(include_bytes!("../recorded/tls/elsewhere.pem"));
    let error = failure(server, Some(authority("ours")));
    assert!(error.contains("is not who it should be"), "{error}");
}

#[test]
fn a_file_without_certificates_is_said() {
    let error = failure(localhost(), Some("/nonexistent.pem".into()));
    assert!(error.starts_with("/nonexistent.pem holds no certificate of an authority"), "{error}");
    let path = std::env::temp_dir().join(format!("fabric-audit-{}-empty.pem", std::process::id()));
    fs::write(&path, "nothing").unwrap();
    let error = failure(localhost(), Some(path.clone()));
    let _gone = fs::remove_file(path);
    assert!(error.contains("BEGIN CERTIFICATE"), "{error}");
}
