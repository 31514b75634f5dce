//! Errors of MySQL and MariaDB as errors of Kiln: one table from error numbers and SQLSTATE to class, reason and advice.

use kiln::{Class, Error};
use mysql_async::{DriverError, IoError, ServerError};

use crate::snapshots::SNAPSHOT_LOST;

const TRANSIENT: Class = Class::Transient;
const AUTH: Class = Class::Auth;
const CONFIG: Class = Class::Config;
const DATA: Class = Class::Data;
const RESOURCE: Class = Class::Resource;
const UNAVAILABLE: Class = Class::Unavailable;

const ADVICE_AUTH: &str =
    "the user comes from the address, the password from the address, `password_file` or MYSQL_PWD";
const ADVICE_GRANT: &str = "GRANT SELECT on the table to this user";
const ADVICE_TIMEOUT: &str =
    "a longer `statement_timeout`, or smaller splits by `splits`, give a statement the time that it needs";
const ADVICE_CONNECTIONS: &str = "lower `max_connections`, or raise the limit of the server or of the user";
const ADVICE_TLS: &str = "`ssl-mode` and `ssl-ca` of the address say how the server is checked; \
    `ssl-mode=REQUIRED` encrypts without a check";
const ADVICE_PACKET: &str = "raise `max_allowed_packet` of the server";

/// What an error of a server is.
type Entry = (Class, Option<&'static str>, Option<&'static str>);

/// By the number of the error, which says more than its SQLSTATE: half of them have the state HY000.
static NUMBERS: [(u16, Entry); 46] = [
    (1021, (RESOURCE, Some("disk_full"), None)),
    (1030, (UNAVAILABLE, None, None)),
    (1033, (DATA, Some("data_corrupted"), None)),
    (1034, (DATA, Some("data_corrupted"), None)),
    (1035, (DATA, Some("data_corrupted"), None)),
    (1037, (RESOURCE, Some("out_of_memory"), None)),
    (1038, (RESOURCE, Some("out_of_memory"), None)),
    (1040, (TRANSIENT, Some("too_many_connections"), Some(ADVICE_CONNECTIONS))),
    (1041, (RESOURCE, Some("out_of_memory"), None)),
    (1044, (AUTH, None, Some(ADVICE_GRANT))),
    (1045, (AUTH, None, Some(ADVICE_AUTH))),
    (1049, (CONFIG, Some("unknown_database"), None)),
    (1053, (TRANSIENT, Some("connection_lost"), None)),
    (1054, (CONFIG, Some("unknown_column"), None)),
    (1105, (UNAVAILABLE, None, None)),
    (1109, (CONFIG, Some("unknown_table"), None)),
    (1114, (RESOURCE, Some("disk_full"), None)),
    (
        1129,
        (UNAVAILABLE, Some("host_blocked"), Some("`FLUSH HOSTS` on the server lets this host connect again")),
    ),
    (1130, (AUTH, None, Some("the server takes no connections from this host"))),
    (1135, (TRANSIENT, Some("too_many_connections"), Some(ADVICE_CONNECTIONS))),
    (1142, (AUTH, None, Some(ADVICE_GRANT))),
    (1143, (AUTH, None, Some(ADVICE_GRANT))),
    (1146, (CONFIG, Some("unknown_table"), None)),
    (1153, (CONFIG, Some("packet_too_large"), Some(ADVICE_PACKET))),
    (1194, (DATA, Some("data_corrupted"), None)),
    (1195, (DATA, Some("data_corrupted"), None)),
    (1203, (TRANSIENT, Some("too_many_connections"), Some(ADVICE_CONNECTIONS))),
    (1205, (TRANSIENT, Some("lock_timeout"), None)),
    (1213, (TRANSIENT, Some("serialization"), None)),
    (1226, (TRANSIENT, Some("too_many_connections"), Some(ADVICE_CONNECTIONS))),
    (1227, (AUTH, None, None)),
    (1290, (CONFIG, None, None)),
    (1317, (TRANSIENT, Some("interrupted"), None)),
    (1356, (CONFIG, None, None)),
    (1365, (DATA, None, None)),
    (1370, (AUTH, None, Some(ADVICE_GRANT))),
    (1412, (TRANSIENT, Some(SNAPSHOT_LOST), Some("the table was changed or emptied: run the job again"))),
    (1690, (DATA, None, None)),
    (1698, (AUTH, None, Some(ADVICE_AUTH))),
    (1815, (UNAVAILABLE, None, None)),
    (1820, (AUTH, Some("password_expired"), None)),
    (1862, (AUTH, Some("password_expired"), None)),
    (1927, (TRANSIENT, Some("connection_lost"), None)),
    (1969, (TRANSIENT, Some("statement_timeout"), Some(ADVICE_TIMEOUT))),
    (3024, (TRANSIENT, Some("statement_timeout"), Some(ADVICE_TIMEOUT))),
    (3159, (CONFIG, Some("tls"), Some(ADVICE_TLS))),
];

/// By the beginning of the SQLSTATE, for numbers that are not listed; the last entry is for all others.
static STATES: [(&str, Entry); 10] = [
    ("08", (TRANSIENT, Some("connection_lost"), None)),
    ("21", (DATA, None, None)),
    ("22", (DATA, None, None)),
    ("23", (DATA, None, None)),
    ("28", (AUTH, None, Some(ADVICE_AUTH))),
    ("40", (TRANSIENT, Some("serialization"), None)),
    ("42", (CONFIG, None, None)),
    ("70", (TRANSIENT, Some("interrupted"), None)),
    ("XA", (TRANSIENT, None, None)),
    ("", (CONFIG, None, None)),
];

/// The error of a failed request, where `message` names what failed.
pub(super) fn of(message: &str, error: mysql_async::Error) -> Error {
    of_any(message, "connection_lost", error)
}

/// The error of a connection that does not come about.
pub(super) fn of_connect(error: mysql_async::Error) -> Error {
    of_any("cannot connect to the MySQL server", "cannot_connect", error)
}

/// `broken` is the reason when no answer came.
fn of_any(message: &str, broken: &str, error: mysql_async::Error) -> Error {
    match error {
        mysql_async::Error::Server(server) => of_server(message, &server),
        mysql_async::Error::Driver(driver) => of_driver(message, broken, &driver),
        mysql_async::Error::Io(IoError::Tls(tls)) => {
            Error::config(message).reason("tls").because(tls).help(ADVICE_TLS)
        }
        mysql_async::Error::Io(IoError::Io(io)) if is_refused_tls(&io) => {
            Error::config(message).reason("tls").because(io).help(ADVICE_TLS)
        }
        mysql_async::Error::Url(error) => Error::config(message).because(error),
        error => Error::transient(message).reason(broken).because(error),
    }
}

fn of_server(message: &str, server: &ServerError) -> Error {
    let (class, reason, advice) = entry(server.code, &server.state);
    let error = Error::new(class, format!("{message}: {}", server.message)).at("error", server.code);
    let error = error.at("sqlstate", &server.state);
    let error = reason.into_iter().fold(error, |error, reason| error.reason(reason));
    advice.into_iter().fold(error, |error, advice| error.help(advice))
}

fn entry(number: u16, state: &str) -> Entry {
    let by_number = NUMBERS.iter().find(|(known, _)| *known == number);
    by_number.map(|(_, entry)| *entry).unwrap_or_else(|| {
        let by_state = STATES.iter().find(|(begin, _)| state.starts_with(begin));
        by_state.map_or((CONFIG, None, None), |(_, entry)| *entry)
    })
}

fn of_driver(message: &str, broken: &str, driver: &DriverError) -> Error {
    let new = |class, reason| Error::new(class, message).reason(reason).because(Told(driver.to_string()));
    match driver {
        DriverError::NoClientSslFlagFromServer => new(CONFIG, "tls").help(ADVICE_TLS),
        DriverError::UnknownAuthPlugin { .. }
        | DriverError::CleartextPluginDisabled
        | DriverError::MysqlOldPasswordDisabled => new(AUTH, "auth").help(ADVICE_AUTH),
        DriverError::PacketTooLarge => new(RESOURCE, "packet_too_large"),
        DriverError::StmtParamsMismatch { .. } | DriverError::MixedParams | DriverError::Params(_) => {
            new(CONFIG, "parameters")
                .help("a `?` or a `:name` in SQL stands for a parameter, and there are none")
        }
        _ => new(TRANSIENT, broken),
    }
}

/// The text of an error, which may hold more than should be printed.
#[derive(Debug)]
struct Told(String);

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Told {}

/// Whether an error of the stream is one of the handshake that stays: not because the connection broke.
fn is_refused_tls(io: &std::io::Error) -> bool {
    io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_its_class() {
        for (number, state, class) in [
            (1040, "08004", TRANSIENT),
            (1203, "42000", TRANSIENT),
            (1045, "28000", AUTH),
            (1142, "42000", AUTH),
            (1227, "42000", AUTH),
            (1049, "42000", CONFIG),
            (1146, "42S02", CONFIG),
            (1064, "42000", CONFIG),
            (1054, "42S22", CONFIG),
            (1205, "HY000", TRANSIENT),
            (1213, "40001", TRANSIENT),
            (1317, "70100", TRANSIENT),
            (3024, "HY000", TRANSIENT),
            (1969, "70100", TRANSIENT),
            (1053, "08S01", TRANSIENT),
            (1412, "HY000", TRANSIENT),
            (1114, "HY000", RESOURCE),
            (1365, "22012", DATA),
            (1292, "22007", DATA),
            (1062, "23000", DATA),
            (1030, "HY000", UNAVAILABLE),
            (3159, "HY000", CONFIG),
            (65535, "HY000", CONFIG),
        ] {
            assert_eq!(entry(number, state).0, class, "{number}");
        }
    }

    #[test]
    fn numbers_are_listed_once() {
        assert!(NUMBERS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
