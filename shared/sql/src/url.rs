//! Where a store is: a URL that names the engine and keeps its password to itself.

use std::{fmt, str::FromStr};

use sea_orm::sqlx::{mysql::MySqlConnectOptions, postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use secrecy::{ExposeSecret, SecretString};

/// The engines that a store may be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file, in this process.
    Sqlite,
    /// PostgreSQL, or what speaks its protocol.
    Postgres,
    /// MySQL or MariaDB, or what speaks their protocol.
    MySql,
}

impl Engine {
    /// Whether it is a server that other processes use as well.
    pub fn is_server(self) -> bool {
        self != Self::Sqlite
    }
}

/// The URL of a store. Shown without its password.
#[derive(Clone)]
pub struct Url {
    engine: Engine,
    text: SecretString,
}

/// Why a text is not the URL of a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The scheme names no engine that this build knows.
    #[error("`{0}:` is not a known engine: the URL must start with sqlite:, postgres: or mysql:")]
    UnknownEngine(String),
    /// It does not parse.
    #[error("malformed: {0}: it must look like {1}")]
    Malformed(String, &'static str),
    /// No database is named.
    #[error("names no database: it must look like {0}")]
    NoDatabase(&'static str),
}

const SQLITE: &str = "sqlite://path/to/file.db";
const POSTGRES: &str = "postgres://user:password@host:5432/database";
const MYSQL: &str = "mysql://user:password@host:3306/database";

impl Url {
    /// The engine that it names.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The whole text, for the driver only.
    pub(crate) fn expose(&self) -> &str {
        self.text.expose_secret()
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        let malformed = |fault: &dyn fmt::Display, form| UrlError::Malformed(fault.to_string(), form);
        let (engine, text) = match scheme {
            "sqlite" => {
                SqliteConnectOptions::from_str(text).map_err(|fault| malformed(&fault, SQLITE))?;
                (Engine::Sqlite, text.to_owned())
            }
            "postgres" | "postgresql" => {
                let options = PgConnectOptions::from_str(text).map_err(|fault| malformed(&fault, POSTGRES))?;
                if options.get_database().is_none_or(str::is_empty) {
                    return Err(UrlError::NoDatabase(POSTGRES));
                }
                (Engine::Postgres, text.to_owned())
            }
            "mysql" | "mariadb" => {
                let text = format!("mysql:{rest}");
                let options = MySqlConnectOptions::from_str(&text).map_err(|fault| malformed(&fault, MYSQL))?;
                if options.get_database().is_none_or(str::is_empty) {
                    return Err(UrlError::NoDatabase(MYSQL));
                }
                (Engine::MySql, text)
            }
            // What stands before the colon may be a password in the wrong place, so only a word is shown.
            word => {
                let word = word.chars().take_while(char::is_ascii_alphanumeric).take(16).collect();
                return Err(UrlError::UnknownEngine(word));
            }
        };
        Ok(Self {
            engine,
            text: text.into(),
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.expose().split('?').next().unwrap_or_default();
        let (scheme, rest) = text.split_once("//").unwrap_or((text, ""));
        let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        write!(f, "{scheme}//{place}")
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_chosen_by_scheme() {
        for (text, engine) in [
            ("sqlite://data/a.db", Engine::Sqlite),
            ("postgres://u:p@h/d", Engine::Postgres),
            ("postgresql://u:p@h:1/d?sslmode=require", Engine::Postgres),
            ("mysql://u@h/d", Engine::MySql),
            ("mariadb://u@h/d", Engine::MySql),
        ] {
            assert_eq!(text.parse::<Url>().unwrap().engine(), engine, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (text, part) in [
            ("oracle://u:secret@h/d", "`oracle:` is not a known engine"),
            ("secret", "not a known engine"),
            ("", "not a known engine"),
            ("postgres://u:secret@h", "names no database"),
            ("mysql://u:secret@h/", "names no database"),
            ("postgres://u:secret@h:port/d", "malformed"),
            ("mysql://u:secret@h/d?ssl-mode=maybe", "malformed"),
        ] {
            let fault = text.parse::<Url>().unwrap_err().to_string();
            assert!(
                fault.contains(part) && (text == "secret" || !fault.contains("secret")),
                "{text}: {fault}"
            );
        }
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        let url: Url = "postgres://user:se%40cret@host:5433/packets?sslmode=require&sslkey=x"
            .parse()
            .unwrap();
        assert_eq!(url.to_string(), "postgres://host:5433/packets");
        assert_eq!(format!("{url:?}"), "Url(postgres://host:5433/packets)");
        let url: Url = "sqlite://data/account.db".parse().unwrap();
        assert_eq!(url.to_string(), "sqlite://data/account.db");
    }
}
