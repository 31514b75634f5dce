//! Encrypted connections, as strict as the address asks.

use std::path::Path;
use std::process::Command;

use kiln::{Class, Context, Error};
use kiln_connectors::Retry;
use kiln_connectors::postgres::ReadPostgres;

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
    let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let read = cx.postgres(&format!("{url}{parameters}")).query(query).retry(Retry::never());
    Ok(read.read::<bool>().collect()? == [true])
}

#[test]
fn a_connection_is_as_safe_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (key, cert) = certificate(folder.path());
    let server = Server::start();
    server.put("server.key", &key);
    server.put("server.crt", &cert);
    server.configure("ssl = on");
    server.restart();
    let db = server.database();
    let root = format!("&sslrootcert={}", folder.path().join("ca.pem").display());
    assert!(is_encrypted(&db, "").unwrap(), "prefer");
    assert!(is_encrypted(&db, "?sslmode=require").unwrap());
    assert!(!is_encrypted(&db, "?sslmode=disable").unwrap());
    assert!(is_encrypted(&db, &format!("?sslmode=verify-full{root}")).unwrap());
    assert!(is_encrypted(&db, &format!("?sslmode=verify-ca{root}")).unwrap());
    // The certificate is for localhost.
    let by_number = db.tcp_url(&format!("kiln:{PASSWORD}")).replace("localhost", "127.0.0.1");
    let error = is_encrypted_at(&by_number, &format!("?sslmode=verify-full{root}")).unwrap_err();
    assert_eq!((error.class(), error.reason_word()), (Class::Config, "tls"), "{error}");
    assert!(is_encrypted_at(&by_number, &format!("?sslmode=verify-ca{root}")).unwrap());
    // Nobody knows its authority.
    let error = is_encrypted(&db, "?sslmode=verify-full").unwrap_err();
    assert_eq!(error.class(), Class::Config, "{error}");
    // Another authority.
    let other = tempfile::tempdir().unwrap();
    certificate(other.path());
    let root = format!("&sslrootcert={}", other.path().join("ca.pem").display());
    for mode in ["require", "verify-ca", "verify-full"] {
        let error = is_encrypted(&db, &format!("?sslmode={mode}{root}")).unwrap_err();
        assert_eq!(error.class(), Class::Config, "{mode}: {error}");
    }
}

#[test]
fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let db = Server::shared();
    assert!(!is_encrypted(&db, "").unwrap(), "prefer");
    for mode in ["require", "verify-ca", "verify-full"] {
        let error = is_encrypted(&db, &format!("?sslmode={mode}")).unwrap_err();
        assert_eq!((error.class(), error.reason_word()), (Class::Config, "tls"), "{mode}: {error}");
    }
}
