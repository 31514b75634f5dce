//! Encrypted connections, as strict as the address asks.

use std::path::Path;
use std::process::Command;

use kiln::{Class, Context, Error};
use kiln_connectors::Retry;
use kiln_connectors::mysql::ReadMysql;

use crate::server::{Database, PASSWORD, Server};

/// Makes an authority, `ca.pem`, and a key and a certificate of it for `localhost`.
fn certificate(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let openssl = |args: &str| {
        let made = Command::new("openssl").args(args.split(' ')).current_dir(folder).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
        .unwrap();
    openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem");
    openssl("req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out request.pem");
    openssl(
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem",
    );
    (std::fs::read(folder.join("key.pem")).unwrap(), std::fs::read(folder.join("cert.pem")).unwrap())
}

/// Whether the connection that answers is encrypted.
fn is_encrypted(db: &Database, parameters: &str) -> Result<bool, Error> {
    is_encrypted_at(&db.tcp_url(&format!("kiln:{PASSWORD}")), parameters)
}

fn is_encrypted_at(url: &str, parameters: &str) -> Result<bool, Error> {
    let cx = Context::local(1);
    let query = "SELECT VARIABLE_VALUE AS cipher FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'";
    let read = cx.mysql(&format!("{url}{parameters}")).query(query).retry(Retry::never());
    Ok(!read.read::<String>().collect()?.concat().is_empty())
}

#[test]
fn a_connection_is_as_safe_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (key, cert) = certificate(folder.path());
    let server = Server::start();
    let (key, cert) = (server.put("server-key.pem", &key), server.put("server-cert.pem", &cert));
    server.configure(&format!("ssl-key={}\nssl-cert={}", key.display(), cert.display()));
    server.restart();
    let db = server.database();
    let ca = format!("&ssl-ca={}", folder.path().join("ca.pem").display());
    assert!(is_encrypted(&db, "").unwrap(), "preferred");
    assert!(is_encrypted(&db, "?ssl-mode=REQUIRED").unwrap());
    assert!(!is_encrypted(&db, "?ssl-mode=DISABLED").unwrap());
    assert!(is_encrypted(&db, &format!("?ssl-mode=VERIFY_IDENTITY{ca}")).unwrap());
    // The certificate is for localhost.
    let by_number = db.tcp_url(&format!("kiln:{PASSWORD}")).replace("localhost", "127.0.0.1");
    let error = is_encrypted_at(&by_number, &format!("?ssl-mode=VERIFY_IDENTITY{ca}")).unwrap_err();
    assert_eq!((error.class(), error.reason_word()), (Class::Config, "tls"), "{error}");
    // Nobody knows its authority.
    let error = is_encrypted(&db, "?ssl-mode=VERIFY_IDENTITY").unwrap_err();
    assert_eq!(error.class(), Class::Config, "{error}");
    // Another authority.
    let other = tempfile::tempdir().unwrap();
    certificate(other.path());
    let ca = format!("&ssl-ca={}", other.path().join("ca.pem").display());
    let error = is_encrypted(&db, &format!("?ssl-mode=VERIFY_IDENTITY{ca}")).unwrap_err();
    assert_eq!(error.class(), Class::Config, "{error}");
}

#[test]
fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let db = Server::shared();
    assert!(!is_encrypted(&db, "").unwrap(), "preferred");
    for mode in ["REQUIRED", "VERIFY_IDENTITY"] {
        let error = is_encrypted(&db, &format!("?ssl-mode={mode}")).unwrap_err();
        assert_eq!((error.class(), error.reason_word()), (Class::Config, "tls"), "{mode}: {error}");
    }
}
