//! The address of a server, `postgres://user@host:5432/database?sslmode=verify-full`, and where its password is from.
//!
//! An address is kept in parts. The password is a [`Secret`], so that neither `Debug` nor an error can print it; text
//! that cannot be parsed is never repeated in an error, because a password may be in it.

use std::fmt;
use std::path::{Path, PathBuf};

use kiln::{Error, Result};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::address::{self, Secret, variable, with_host};

/// The port of a server, unless set.
const PORT: u16 = 5432;

const ADVICE: &str = "an address is postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full; \
    characters such as @ and / in a part are percent-encoded";

/// How the connection is encrypted, and how the server is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Tls {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server offers it.
    Prefer,
    /// Encrypted; whose certificate it is is not checked, unless `sslrootcert` names an authority.
    Require,
    /// Encrypted, by a certificate of a known authority.
    VerifyCa,
    /// Encrypted, by a certificate of a known authority for this host.
    VerifyFull,
}

/// A server and a database on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address {
    /// A name, or the folder of a Unix socket.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
    pub(super) user: String,
    password: Option<Secret>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) tls: Tls,
    /// A PEM file of authorities; without it, those of the system.
    pub(super) root_cert: Option<PathBuf>,
    pub(super) application_name: String,
}

/// `postgres://user@host:5432/database`, without the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { host, port, database, user, .. } = self;
        match self.is_socket() {
            true => write!(f, "postgres://{user}@/{database}?host={host}&port={port}"),
            false => write!(f, "postgres://{user}@{host}:{port}/{database}"),
        }
    }
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Address> {
        let url = Url::parse(&with_host(text)).map_err(|e| wrong(format!("cannot be parsed: {e}")))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(wrong(format!("begins with `{}:`, not with `postgres:`", url.scheme())));
        }
        let user = match decoded(url.username())? {
            user if user.is_empty() => default_user()?,
            user => user,
        };
        let mut address = Address {
            host: decoded(url.host_str().unwrap_or_default())?,
            port: url.port().unwrap_or(PORT),
            database: decoded(url.path().trim_start_matches('/'))?,
            user,
            password: url.password().map(decoded).transpose()?.map(Secret::new),
            password_file: None,
            tls: Tls::Prefer,
            root_cert: None,
            application_name: "kiln".to_owned(),
        };
        for (name, value) in url.query_pairs() {
            address.set(&name, &value)?;
        }
        address.completed()
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "host" => self.host = value.to_owned(),
            "port" => self.port = value.parse().map_err(|_| wrong("has a port that is no number"))?,
            "user" => self.user = value.to_owned(),
            "password" => self.password = Some(Secret::new(value)),
            "dbname" => self.database = value.to_owned(),
            "sslrootcert" => self.root_cert = (value != "system").then(|| value.into()),
            "application_name" => self.application_name = value.to_owned(),
            "sslmode" => self.tls = tls(value)?,
            _ => return Err(wrong(format!("has the unknown parameter `{name}`"))),
        }
        Ok(())
    }

    /// What the connections of a load call themselves in the server's list of activities, where names end after 63 bytes.
    pub(super) fn tag(&self, snapshot: &str) -> String {
        const MOST: usize = 63;
        let name = self.application_name.chars().scan(0, |bytes, c| {
            *bytes += c.len_utf8();
            (*bytes + snapshot.len() < MOST).then_some(c)
        });
        format!("{} {snapshot}", name.collect::<String>())
    }

    fn completed(mut self) -> Result<Address> {
        if self.host.is_empty() {
            self.host = "localhost".to_owned();
        }
        self.host = self.host.trim_matches(['[', ']']).to_owned();
        if self.database.is_empty() {
            self.database = self.user.clone();
        }
        if self.is_socket() && !matches!(self.tls, Tls::Disable | Tls::Prefer) {
            return Err(wrong("asks for TLS on a Unix socket, which has none"));
        }
        Ok(self)
    }

    /// Whether the host is the folder of a Unix socket.
    pub(super) fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    /// Whether the address itself has the password, so that whoever keeps the address keeps the password.
    pub(super) fn holds_password(&self) -> bool {
        self.password.is_some()
    }

    /// The password: that of the address, of the file, of PGPASSWORD or of the password file of libpq, in this order.
    pub(super) fn password(&self) -> Result<Option<Secret>> {
        if self.password.is_some() {
            return Ok(self.password.clone());
        }
        if let Some(path) = &self.password_file {
            return Secret::of_file(path);
        }
        if let Some(password) = Secret::of_variable("PGPASSWORD") {
            return Ok(Some(password));
        }
        Ok(passfile().and_then(|path| self.in_passfile(&path)))
    }

    /// The password in a file of libpq. A file that others can read is left out, as libpq does.
    fn in_passfile(&self, path: &Path) -> Option<Secret> {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).ok()?.permissions().mode();
        if mode & 0o077 != 0 {
            log::warn!("{} is not used: others can read it; `chmod 600` changes that", path.display());
            return None;
        }
        let host = if self.is_socket() { "localhost" } else { &self.host };
        let port = self.port.to_string();
        let wanted = [host, &port, &self.database, &self.user];
        let text = std::fs::read_to_string(path).ok()?;
        text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
            let fields = passfile_fields(line);
            let fits = fields.len() == 5
                && fields.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted);
            fits.then(|| Secret::new(fields[4].as_str()))
        })
    }
}

fn tls(mode: &str) -> Result<Tls> {
    Ok(match mode {
        "disable" => Tls::Disable,
        "prefer" => Tls::Prefer,
        "require" => Tls::Require,
        "verify-ca" => Tls::VerifyCa,
        "verify-full" => Tls::VerifyFull,
        _ => {
            return Err(wrong(
                "has an `sslmode` other than disable, prefer, require, verify-ca, verify-full",
            ));
        }
    })
}

fn default_user() -> Result<String> {
    variable("PGUSER").ok_or_else(|| wrong("names no user, and PGUSER is not set"))
}

fn passfile() -> Option<PathBuf> {
    match variable("PGPASSFILE") {
        Some(path) => Some(path.into()),
        None => Some(Path::new(&variable("HOME")?).join(".pgpass")),
    }
}

/// The fields between colons; a backslash takes the next character as it is.
fn passfile_fields(line: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ':' => fields.push(std::mem::take(&mut field)),
            '\\' => field.extend(chars.next()),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

/// Percent-decoded text.
fn decoded(text: &str) -> Result<String> {
    address::decoded(text).map_err(wrong)
}

fn wrong(what: impl fmt::Display) -> Error {
    Error::config(format!("the address of a PostgreSQL server {what}"))
        .reason("malformed_address")
        .help(ADVICE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn an_address_has_its_parts() {
        let address =
            parsed("postgres://me:s%40cret@db.example:6000/shop?sslmode=verify-full&sslrootcert=/ca.pem");
        assert_eq!(
            (&*address.host, address.port, &*address.database, &*address.user),
            ("db.example", 6000, "shop", "me")
        );
        assert_eq!(
            (address.tls, address.root_cert.as_deref()),
            (Tls::VerifyFull, Some(Path::new("/ca.pem")))
        );
        assert_eq!(address.password().unwrap().unwrap().reveal(), "s@cret");
        assert_eq!(parsed("postgresql://me@[::1]/").host, "::1");
        assert_eq!(
            parsed("postgres://me@/shop?host=/tmp/sock").to_string(),
            "postgres://me@/shop?host=/tmp/sock&port=5432"
        );
        assert_eq!(parsed("postgres://me@%2Ftmp%2Fsock/shop").host, "/tmp/sock");
    }

    #[test]
    fn nothing_prints_the_password() {
        for text in ["postgres://me:Pa55word@db/shop", "postgres://me@db/shop?password=Pa55word"] {
            let address = parsed(text);
            assert!(!format!("{address} {address:?} {address:#?}").contains("Pa55word"));
        }
        let broken = [
            "postgres://me:Pa55word@db:port/shop",
            "mysql://me:Pa55word@db/shop",
            "postgres://me:Pa55word@db/shop?sslmode=Pa55word",
            "postgres://me:Pa55word%zz@db/shop",
            "me:Pa55word@db",
            "host=db password=Pa55word",
        ];
        for text in broken {
            let error = Address::parse(text).unwrap_err();
            assert_eq!(error.class(), kiln::Class::Config, "{text}");
            assert!(!format!("{error} {error:?}").contains("Pa55word"), "{error}");
        }
    }

    #[test]
    fn tls_is_never_weaker_than_asked() {
        assert_eq!(parsed("postgres://me@db/").tls, Tls::Prefer);
        for mode in ["allow", "Require", "verify", ""] {
            let text = format!("postgres://me@db/?sslmode={mode}");
            assert!(Address::parse(&text).is_err(), "{mode}");
        }
        assert!(Address::parse("postgres://me@/shop?host=/tmp&sslmode=require").is_err());
    }

    #[test]
    fn a_password_file_of_libpq_is_read_by_host_port_database_and_user() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pgpass");
        std::fs::write(&path, "# a comment\ndb:*:other:me:no\ndb:5432:shop:me:a\\:b\\\\c\n*:*:*:*:last\n")
            .unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let found = |text: &str| parsed(text).in_passfile(&path).map(|secret| secret.reveal().to_owned());
        assert_eq!(found("postgres://me@db/shop").as_deref(), Some("a:b\\c"));
        assert_eq!(found("postgres://you@db/shop").as_deref(), Some("last"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(found("postgres://me@db/shop"), None);
    }
}
