//! What can still be told of a document that is not YAML: its kind and namespace, from the lines that are whole.
//!
//! It errs to `None`, which excludes nothing: only one clear `kind:` at the start of a line counts.

/// What the lines of a broken document say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scanned {
    pub(crate) kind: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
}

pub(crate) fn scan(text: &str) -> Scanned {
    let (mut kinds, mut namespaces, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let mut metadata_indent = None;
    let mut in_metadata = false;
    for line in text.lines() {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let indent = line.len() - content.len();
        if indent == 0 {
            in_metadata = content.trim_end() == "metadata:";
            metadata_indent = None;
            kinds.extend(plain_value(content, "kind:"));
        } else if in_metadata && *metadata_indent.get_or_insert(indent) == indent {
            namespaces.extend(plain_value(content, "namespace:"));
            names.extend(plain_value(content, "name:"));
        }
    }
    Scanned { kind: only(kinds), namespace: only(namespaces), name: only(names) }
}

fn plain_value(line: &str, key: &str) -> Option<String> {
    let value = line.strip_prefix(key)?;
    let value = value.split(" #").next().unwrap_or(value).trim().trim_matches(['"', '\'']);
    // What is no plain name (a template, an anchor) still counts as an occurrence, but says nothing.
    let is_name =
        !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    Some(if is_name { value.to_owned() } else { String::new() })
}

fn only(values: Vec<String>) -> Option<String> {
    match <[String; 1]>::try_from(values) {
        Ok([value]) if !value.is_empty() => Some(value),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_kind_and_namespace_from_whole_lines() {
        let text = "apiVersion: v1\nkind: NetworkPolicy # x\nmetadata:\n  name: \"a\"\n  labels:\n    namespace: no\n  namespace: shop\nspec: [\n";
        let expected =
            Scanned { kind: Some("NetworkPolicy".into()), namespace: Some("shop".into()), name: Some("a".into()) };
        assert_eq!(scan(text), expected);
    }

    #[test]
    fn what_is_said_twice_or_by_a_template_says_nothing() {
        assert_eq!(scan("kind: A\nkind: B\n"), Scanned::default());
        assert_eq!(scan("kind: {{ .Values.kind }}\n"), Scanned::default());
        assert_eq!(scan("metadata:\n  namespace: {{ .Release.Namespace }}\n"), Scanned::default());
    }
}
