//! TLS with an authority of one's own, and with one that nobody knows.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};

use super::*;

/// Who signs certificates.
type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A file of this test process, which goes with this.
struct Kept(PathBuf);

impl Kept {
    fn new(name: &str, contents: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fabric-audit-{}-{name}", std::process::id()));
        fs::write(&path, contents).unwrap();
        Self(path)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.0);
    }
}

/// Starts a server with a certificate for `name`, which answers that the token is wrong. It ends with the process: then
/// nobody asks it any more.
fn server(authority: &Authority, name: &str) -> SocketAddr {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
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

fn failure(server: SocketAddr, ca: Option<&Path>) -> String {
    let settings = Settings {
        url: format!("https://localhost:{}", server.port()),
        token: Token::new(TOKEN).unwrap(),
        ca: ca.map(Path::to_owned),
        plain: false,
        page: 1000,
        limits: Limits { attempts: 1, ..Limits::default() },
    };
    read(&settings, &[]).unwrap_err().to_string()
}

#[test]
fn an_authority_of_ones_own_is_trusted_and_no_other() {
    let ours = authority();
    let server = server(&ours, "localhost");
    let ours = Kept::new("ours.pem", &ours.pem());
    let error = failure(server, Some(&ours.0));
    assert!(error.contains("does not accept the token (status 403): wrong"), "{error}");
    let other = Kept::new("other.pem", &authority().pem());
    let error = failure(server, Some(&other.0));
    assert!(error.contains("is not who it should be") && error.contains("--ca"), "{error}");
    // A machine may have no authorities at all.
    let error = failure(server, None);
    assert!(
        error.contains("is not who it should be") || error.contains("has no certificates"),
        "{error}"
    );
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let ours = authority();
    let server = server(&ours, "elsewhere.example");
    let ours = Kept::new("elsewhere.pem", &ours.pem());
    let error = failure(server, Some(&ours.0));
    assert!(error.contains("is not who it should be"), "{error}");
}

#[test]
fn a_file_without_certificates_is_said() {
    let localhost = server(&authority(), "localhost");
    let error = failure(localhost, Some(Path::new("/nonexistent.pem")));
    assert!(error.starts_with("/nonexistent.pem holds no certificate of an authority"), "{error}");
    let empty = Kept::new("empty.pem", "nothing");
    let error = failure(localhost, Some(&empty.0));
    assert!(error.contains("BEGIN CERTIFICATE"), "{error}");
}
