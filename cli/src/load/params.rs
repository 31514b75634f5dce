//! Values for the `{name}`s of a load file.

use std::collections::BTreeMap;

use kiln::{Error, Result};

/// `name=value`.
pub fn parse(text: &str) -> std::result::Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is given as NAME=VALUE")?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(format!("`{name}` is no name: letters, digits and `_`"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// The values that were given, and which of them were used.
pub struct Params<'a> {
    given: BTreeMap<&'a str, &'a str>,
    used: Vec<&'a str>,
}

impl<'a> Params<'a> {
    pub fn new(given: &'a [(String, String)]) -> Params<'a> {
        let given = given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Params { given, used: Vec::new() }
    }

    /// `text` with the values in place of the `{name}`s; `{{` and `}}` are braces.
    ///
    /// # Errors
    /// Config for a name without a value and for a brace without its other.
    pub fn fill(&mut self, text: &str) -> Result<String> {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            filled.push_str(&rest[..at]);
            let brace = &rest[at..];
            rest = match brace.as_bytes() {
                [b'{', b'{', ..] | [b'}', b'}', ..] => {
                    filled.push_str(&brace[..1]);
                    &brace[2..]
                }
                [b'{', ..] => {
                    let end = brace.find('}').ok_or_else(|| unpaired(text))?;
                    filled.push_str(self.value(&brace[1..end])?);
                    &brace[end + 1..]
                }
                _ => return Err(unpaired(text)),
            };
        }
        Ok(filled + rest)
    }

    /// The same for text in SQL, where a value must not end a literal or begin a comment.
    pub fn fill_sql(&mut self, text: &str) -> Result<String> {
        let is_safe = |c: char| c.is_alphanumeric() || " ._:+-".contains(c);
        let unsafe_value = |value: &str| !value.chars().all(is_safe) || value.contains("--");
        let wrong = self
            .given
            .iter()
            .find(|(name, value)| text.contains(&format!("{{{name}}}")) && unsafe_value(value));
        match wrong {
            None => self.fill(text),
            Some((name, _)) => {
                let error = Error::config(format!("the value of `{name}` cannot be put into SQL"));
                Err(error.help("letters, digits, blanks and `._:+-` can; write anything else into the file"))
            }
        }
    }

    fn value(&mut self, name: &str) -> Result<&'a str> {
        match self.given.get_key_value(name) {
            Some((name, value)) => {
                self.used.push(name);
                Ok(value)
            }
            None => {
                let error = Error::config(format!("the load file asks for `{{{name}}}`, which has no value"));
                Err(error.reason("no_param").help(format!("give it as --param {name}=VALUE")))
            }
        }
    }

    /// Refuses values that the file has not asked for: a name that is spelled wrongly would load something else.
    pub fn check_used(&self) -> Result<()> {
        match self.given.keys().find(|name| !self.used.contains(name)) {
            None => Ok(()),
            Some(name) => Err(Error::config(format!("the load file does not use the parameter `{name}`"))),
        }
    }
}

fn unpaired(text: &str) -> Error {
    let error = Error::config(format!("a brace without its other in `{text}`"));
    error.help("a parameter is `{name}`; a brace itself is `{{` or `}}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str, given: &[(&str, &str)]) -> Result<String> {
        let given: Vec<_> = given.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Params::new(&given).fill_sql(text)
    }

    #[test]
    fn names_are_replaced_and_double_braces_are_braces() {
        let filled = fill("day = DATE '{ds}' AND tags = '{{a}}' -- {ds}", &[("ds", "2026-11-20")]);
        assert_eq!(filled.ok().as_deref(), Some("day = DATE '2026-11-20' AND tags = '{a}' -- 2026-11-20"));
    }

    #[test]
    fn a_missing_value_an_odd_brace_and_a_value_that_is_sql_are_config_errors() {
        for (text, given) in [
            ("{ds}", &[][..]),
            ("{ds", &[("ds", "1")]),
            ("ds}", &[("ds", "1")]),
            ("'{ds}'", &[("ds", "1' OR '1'='1")]),
            ("{ds}", &[("ds", "1 -- ")]),
        ] {
            let class = fill(text, given).map_err(|e| e.class());
            assert_eq!(class, Err(kiln::Class::Config), "{text} {given:?}");
        }
    }

    #[test]
    fn a_value_that_nothing_asks_for_is_an_error() {
        let given = [("da".to_owned(), "1".to_owned())];
        let mut params = Params::new(&given);
        assert!(params.fill("no names").is_ok() && params.check_used().is_err());
    }
}
