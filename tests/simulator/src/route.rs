//! Finds the route of a request: a method and a path template, as the vendors document them.

use crate::call::{Answer, Call};
use crate::world::Cx;

/// One documented operation.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// A path with `{named}` variable segments.
    pub(crate) template: &'static str,
    pub(crate) run: fn(&mut Cx<'_>, &Call) -> Answer,
}

/// Where a request belongs.
pub(crate) struct Found<'a> {
    pub(crate) route: &'a Route,
    /// The variable segments, decoded.
    pub(crate) params: Vec<String>,
}

/// Makes a table row.
pub(crate) const fn route(
    method: &'static str,
    template: &'static str,
    run: fn(&mut Cx<'_>, &Call) -> Answer,
) -> Route {
    Route { method, template, run }
}

/// Finds the first route that matches; tables list fixed segments before variable ones.
pub(crate) fn find<'a>(routes: &'a [Route], method: &str, path: &str) -> Option<Found<'a>> {
    routes.iter().filter(|route| route.method == method).find_map(|route| {
        let params = matches(route.template, path)?;
        Some(Found { route, params })
    })
}

fn matches(template: &str, path: &str) -> Option<Vec<String>> {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    let mut params = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(params),
            (Some(name), Some(value)) if name.starts_with('{') => {
                params.push(decode(value)?);
            }
            (Some(name), Some(value)) if name == value => {}
            _ => return None,
        }
    }
}

/// Undoes percent-encoding; an empty segment or a broken escape matches nothing.
fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_variable_segments() {
        assert_eq!(matches("/v2/tags/{tag}", "/v2/tags/a%3Ab"), Some(vec!["a:b".to_owned()]));
        assert_eq!(matches("/v2/tags/{tag}", "/v2/tags/%zz"), None);
        assert_eq!(matches("/v2/tags/{tag}", "/v2/tags/"), None);
        assert_eq!(matches("/v2/tags/{tag}", "/v2/tags/a/resources"), None);
    }
}
