//! The address of a server, `mysql://user@host:3306/database?ssl-mode=VERIFY_IDENTITY`, and where its password is from.
//!
//! As with PostgreSQL, an address is kept in parts, and text that cannot be parsed is never repeated in an error, because a
//! password may be in it. Parameters are called as the options of MySQL's own programs.

use std::fmt;
use std::path::PathBuf;

use kiln::{Error, Result};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::address::{self, Secret, with_host};

/// The port of a server, unless set.
const PORT: u16 = 3306;

const ADVICE: &str = "an address is mysql://USER@HOST:PORT/DATABASE?ssl-mode=VERIFY_IDENTITY; \
    characters such as @ and / in a part are percent-encoded";

/// How the connection is encrypted, and how the server is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Tls {
    /// Never encrypted.
    Disabled,
    /// Encrypted if the server offers it.
    Preferred,
    /// Encrypted; whose certificate it is is not checked.
    Required,
    /// Encrypted, by a certificate of a known authority for this host.
    VerifyIdentity,
}

/// A server and a database on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    /// A Unix socket, in place of host and port.
    pub(super) socket: Option<String>,
    /// May be empty: then tables are named with theirs.
    pub(super) database: String,
    pub(super) user: String,
    password: Option<Secret>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) tls: Tls,
    /// A PEM file of authorities; without it, those of the system.
    pub(super) ca: Option<PathBuf>,
}

/// `mysql://user@host:3306/database`, without the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { host, port, database, user, .. } = self;
        match &self.socket {
            Some(socket) => write!(f, "mysql://{user}@/{database}?socket={socket}"),
            None if host.contains(':') => write!(f, "mysql://{user}@[{host}]:{port}/{database}"),
            None => write!(f, "mysql://{user}@{host}:{port}/{database}"),
        }
    }
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Address> {
        let url = Url::parse(&with_host(text)).map_err(|e| wrong(format!("cannot be parsed: {e}")))?;
        if !matches!(url.scheme(), "mysql" | "mariadb") {
            return Err(wrong(format!("begins with `{}:`, not with `mysql:`", url.scheme())));
        }
        let mut address = Address {
            host: decoded(url.host_str().unwrap_or_default())?.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(PORT),
            socket: None,
            database: decoded(url.path().trim_start_matches('/'))?,
            user: decoded(url.username())?,
            password: url.password().map(decoded).transpose()?.map(Secret::new),
            password_file: None,
            tls: Tls::Preferred,
            ca: None,
        };
        for (name, value) in url.query_pairs() {
            address.set(&name, &value)?;
        }
        address.completed()
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "user" => self.user = value.to_owned(),
            "password" => self.password = Some(Secret::new(value)),
            "socket" => self.socket = Some(value.to_owned()),
            "ssl-ca" => self.ca = Some(value.into()),
            "ssl-mode" => self.tls = tls(value)?,
            _ => return Err(wrong(format!("has the unknown parameter `{name}`"))),
        }
        Ok(())
    }

    fn completed(mut self) -> Result<Address> {
        if self.user.is_empty() {
            return Err(wrong("names no user"));
        }
        if self.host.is_empty() {
            self.host = "localhost".to_owned();
        }
        if self.ca.is_some() && self.tls != Tls::VerifyIdentity {
            return Err(wrong("has an `ssl-ca`, which is for `ssl-mode=VERIFY_IDENTITY` alone"));
        }
        if self.socket.is_some() && !matches!(self.tls, Tls::Disabled | Tls::Preferred) {
            return Err(wrong("asks for TLS on a Unix socket, which needs none"));
        }
        Ok(self)
    }

    /// Whether the address itself has the password, so that whoever keeps the address keeps the password.
    pub(super) fn holds_password(&self) -> bool {
        self.password.is_some()
    }

    /// The password: that of the address, of the file or of MYSQL_PWD, in this order.
    pub(super) fn password(&self) -> Result<Option<Secret>> {
        if self.password.is_some() {
            return Ok(self.password.clone());
        }
        match &self.password_file {
            Some(path) => Secret::of_file(path),
            None => Ok(Secret::of_variable("MYSQL_PWD")),
        }
    }
}

fn tls(mode: &str) -> Result<Tls> {
    Ok(match mode.to_ascii_uppercase().replace('-', "_").as_str() {
        "DISABLED" => Tls::Disabled,
        "PREFERRED" => Tls::Preferred,
        "REQUIRED" => Tls::Required,
        "VERIFY_IDENTITY" => Tls::VerifyIdentity,
        // The client checks the authority and the name, or nothing.
        "VERIFY_CA" => return Err(wrong("asks for VERIFY_CA: VERIFY_IDENTITY checks the authority, too")),
        _ => {
            return Err(wrong("has an `ssl-mode` other than DISABLED, PREFERRED, REQUIRED, VERIFY_IDENTITY"));
        }
    })
}

/// Percent-decoded text.
fn decoded(text: &str) -> Result<String> {
    address::decoded(text).map_err(wrong)
}

fn wrong(what: impl fmt::Display) -> Error {
    Error::config(format!("the address of a MySQL server {what}")).reason("malformed_address").help(ADVICE)
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
            parsed("mysql://me:s%40cret@db.example:3307/shop?ssl-mode=VERIFY_IDENTITY&ssl-ca=/ca.pem");
        assert_eq!(
            (&*address.host, address.port, &*address.database, &*address.user),
            ("db.example", 3307, "shop", "me")
        );
        assert_eq!((address.tls, address.ca.is_some()), (Tls::VerifyIdentity, true));
        assert_eq!(address.password().unwrap().unwrap().reveal(), "s@cret");
        assert_eq!(parsed("mariadb://me@[::1]/").to_string(), "mysql://me@[::1]:3306/");
        let socket = "mysql://me@/shop?socket=/run/mysqld/mysqld.sock";
        assert_eq!(parsed(socket).to_string(), socket);
    }

    #[test]
    fn nothing_prints_the_password() {
        for text in ["mysql://me:Pa55word@db/shop", "mysql://me@db/shop?password=Pa55word"] {
            let address = parsed(text);
            assert!(address.holds_password());
            assert!(!format!("{address} {address:?} {address:#?}").contains("Pa55word"));
        }
        for text in [
            "mysql://me:Pa55word@db:port/shop",
            "postgres://me:Pa55word@db/shop",
            "mysql://me:Pa55word@db/shop?ssl-mode=Pa55word",
            "mysql://me:Pa55word%zz@db/shop",
            "mysql://:Pa55word@db/shop",
            "me:Pa55word@db",
        ] {
            let error = Address::parse(text).unwrap_err();
            assert_eq!(error.class(), kiln::Class::Config, "{text}");
            assert!(!format!("{error} {error:?}").contains("Pa55word"), "{error}");
        }
    }

    #[test]
    fn tls_is_never_weaker_than_asked() {
        assert_eq!(parsed("mysql://me@db/").tls, Tls::Preferred);
        assert_eq!(parsed("mysql://me@db/?ssl-mode=verify-identity").tls, Tls::VerifyIdentity);
        assert!(Address::parse("mysql://me@db/?ssl-mode=REQUIRED&ssl-ca=/ca.pem").is_err());
        for mode in ["require", "verify", "VERIFY_CA", "true", ""] {
            assert!(Address::parse(&format!("mysql://me@db/?ssl-mode={mode}")).is_err(), "{mode}");
        }
        assert!(Address::parse("mysql://me@/shop?socket=/s&ssl-mode=REQUIRED").is_err());
    }
}
