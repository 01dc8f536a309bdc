//! `wss://`, against a node behind a proxy with a certificate of an authority of the test's own.
//!
//! Whom a machine trusts is read from its environment, so that each connection is made by a process of its own: this program, with
//! the test that [`connects_as_told`] by its name.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use chain::Chain;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use subtensor::{Settings, Subtensor};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::world::{World, hyperparameters, settings};

/// Where the process of one connection finds its URL.
const URL: &str = "SUBTENSOR_TEST_URL";

/// An authority, and a server's configuration with a certificate for a name that it has signed. The authority's own certificate is
/// written to `file`.
fn certified(name: &str, file: &Path) -> ServerConfig {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(DnType::CommonName, format!("authority of {name}"));
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    std::fs::write(file, authority.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let configuration = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    configuration.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap()
}

/// Ends TLS in front of a node; gives its port.
async fn proxy(configuration: ServerConfig, node: std::net::SocketAddr) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(configuration));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let Ok(mut node) = TcpStream::connect(node).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut client, &mut node).await;
            });
        }
    });
    port
}

/// What a process says that connects to a URL and trusts an authority, or the machine's alone.
async fn said(url: String, authority: Option<&Path>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tls::connects_as_told", "--ignored", "--nocapture"]).env(URL, url);
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    if let Some(file) = authority {
        command.env("SSL_CERT_FILE", file);
    }
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[ignore = "run by another test, in a process of its own"]
#[tokio::test]
async fn connects_as_told() {
    let url = std::env::var(URL).expect("a URL");
    let settings = Settings { deadline: std::time::Duration::from_secs(3), ..settings() };
    match Subtensor::connect(&[url], settings).await {
        Ok(chain) => eprintln!("SAID: at block {}", chain.head().await.unwrap().number),
        Err(error) => eprintln!("SAID: {error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_behind_tls_is_reached_by_who_trusts_its_authority() {
    let world = World::new(hyperparameters()).await;
    let folder = tempfile::tempdir().unwrap();
    let [own, other] = ["own.pem", "other.pem"].map(|name| folder.path().join(name));
    let named = proxy(certified("localhost", &own), world.node.address()).await;
    let misnamed = proxy(certified("elsewhere.example", &other), world.node.address()).await;
    let plain = world.node.address().port();
    let rows = [
        (named, Some(&own), "at block 0"),
        (named, Some(&other), "nobody whom this machine trusts has signed its certificate"),
        (misnamed, Some(&other), "its certificate is for another name"),
        (plain, Some(&own), "does not speak TLS; write ws:// in place of wss://"),
    ];
    for (port, authority, expected) in rows {
        let found = said(format!("wss://localhost:{port}"), authority.map(std::path::PathBuf::as_path)).await;
        let line = found.lines().find(|line| line.contains("SAID: ")).unwrap_or_else(|| panic!("{found}"));
        assert!(line.contains(expected), "{expected}: {line}");
    }
}
