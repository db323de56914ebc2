//! Builds a [`Document`] from what a parser finds, within the limits.

use std::collections::HashMap;

use super::limit::{MAX_ALIASED_NODES, MAX_DEPTH};
use super::scalar::{Scalar, ScalarTag, resolve};
use super::tree::{Document, DuplicateKey, Field, Kind, Node, NodeId, Span};

/// Why a document is not YAML, or not YAML that `kubectl` would take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct SyntaxError {
    /// Line in the file, from 1.
    pub(crate) line: u32,
    /// Column in characters, from 1; 0 when only the line is known.
    pub(crate) column: u32,
    pub(crate) message: String,
    pub(crate) hint: Option<&'static str>,
}

impl SyntaxError {
    pub(super) fn new(at: Position, message: &str, hint: Option<&'static str>) -> Self {
        Self { line: at.line, column: at.column, message: message.to_owned(), hint }
    }
}

/// A position in the file: line and column from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

/// A scalar as a parser hands it over.
pub(super) struct ScalarText<'t> {
    pub(super) text: &'t str,
    /// Neither quoted nor a block.
    pub(super) is_plain: bool,
    /// The full tag, if one is written.
    pub(super) tag: Option<String>,
}

pub(super) struct Builder {
    document: Document,
    /// Nodes that a node stands for with all aliases and merges written out, by node.
    weights: Vec<u64>,
    /// Children of the open collections, one behind the other.
    pending: Vec<NodeId>,
    open: Vec<OpenCollection>,
    /// Node by anchor number.
    anchors: Vec<Option<NodeId>>,
    root: Option<NodeId>,
}

struct OpenCollection {
    id: NodeId,
    first_child: usize,
}

impl Builder {
    pub(super) fn new(text_len: usize) -> Self {
        let document = Document {
            text: String::with_capacity(text_len / 2),
            nodes: Vec::new(),
            elements: Vec::new(),
            fields: Vec::new(),
            root: NodeId(0),
            duplicates: Vec::new(),
            trailing: None,
        };
        Self { document, weights: Vec::new(), pending: Vec::new(), open: Vec::new(), anchors: Vec::new(), root: None }
    }

    /// The document, or `None` when nothing was in it.
    pub(super) fn finish(mut self) -> Result<Option<Document>, SyntaxError> {
        let Some(root) = self.root else { return Ok(None) };
        self.check_finite(root)?;
        self.document.root = root;
        Ok(Some(self.document))
    }

    pub(super) fn alias(&mut self, number: usize, at: Position) -> Result<(), SyntaxError> {
        let Some(id) = self.anchors.get(number).copied().flatten() else {
            return Err(SyntaxError::new(at, "alias of an anchor that this document does not have", None));
        };
        if matches!(self.document.nodes[id.0 as usize].kind, Kind::Open) {
            return Err(SyntaxError::new(
                at,
                "an anchor's value contains itself",
                Some("write the value out instead of `*`"),
            ));
        }
        self.place(id);
        Ok(())
    }

    pub(super) fn scalar(&mut self, scalar: ScalarText<'_>, anchor: usize, at: Position) -> Result<(), SyntaxError> {
        let ScalarText { text, is_plain, tag } = scalar;
        let scalar_tag = match &tag {
            Some(tag) => ScalarTag::of(tag),
            None if is_plain => ScalarTag::Implicit,
            None => ScalarTag::Text,
        };
        let value = resolve(scalar_tag, text)
            .map_err(|tag| SyntaxError::new(at, &format!("`{}` is no {tag}", shorten(text)), Some("remove the tag")))?;
        let merge = text == "<<"
            && match tag.as_deref() {
                None => is_plain,
                // The tag that says nothing leaves a scalar as it is, quoted or not.
                Some(tag) => matches!(tag, "!" | "tag:yaml.org,2002:merge"),
            };
        let text = if scalar_tag == ScalarTag::Binary {
            let decoded = decode_base64(text)
                .ok_or_else(|| SyntaxError::new(at, "`!!binary` is not base64", Some("remove the tag")))?;
            self.keep(&decoded)
        } else {
            self.keep(text)
        };
        let id = self.node(Kind::Scalar { text, value, merge }, anchor, at);
        self.place(id);
        Ok(())
    }

    pub(super) fn start(&mut self, anchor: usize, at: Position) -> Result<(), SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(SyntaxError::new(at, &format!("nested deeper than {MAX_DEPTH} levels"), None));
        }
        let id = self.node(Kind::Open, anchor, at);
        self.open.push(OpenCollection { id, first_child: self.pending.len() });
        Ok(())
    }

    pub(super) fn end_sequence(&mut self) -> Result<(), SyntaxError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let start = self.document.elements.len() as u32;
        let mut weight = 1u64;
        for at in open.first_child..self.pending.len() {
            self.check_finite(self.pending[at])?;
        }
        for id in self.pending.drain(open.first_child..) {
            weight = weight.saturating_add(self.weights[id.0 as usize]);
            self.document.elements.push(id);
        }
        let span = Span { start, end: self.document.elements.len() as u32 };
        self.close(open.id, Kind::Sequence(span), weight)
    }

    pub(super) fn end_mapping(&mut self) -> Result<(), SyntaxError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let children: Vec<NodeId> = self.pending.drain(open.first_child..).collect();
        let start = self.document.fields.len();
        let mut index = FieldIndex::default();
        for pair in children.chunks_exact(2) {
            let &[key, value] = pair else { continue };
            let Kind::Scalar { text, value: scalar, merge } = self.document.nodes[key.0 as usize].kind else {
                return Err(self.error_at(key, "a key must be a scalar", None));
            };
            if merge {
                self.merge(start, key, value, &mut index)?;
                continue;
            }
            let name = self.key_name(key, text, scalar)?;
            self.check_finite(value)?;
            self.set_explicit(start, Field { name, key, value }, &mut index);
        }
        let fields = &self.document.fields[start..];
        let weight = fields
            .iter()
            .fold(1u64, |sum, field| sum.saturating_add(1).saturating_add(self.weights[field.value.0 as usize]));
        let span = Span { start: start as u32, end: self.document.fields.len() as u32 };
        self.close(open.id, Kind::Mapping(span), weight)
    }

    fn set_explicit(&mut self, start: usize, field: Field, index: &mut FieldIndex) {
        let Some(at) = index.find(&self.document, start, field.name) else {
            index.push(&mut self.document, start, field, Origin::Explicit);
            return;
        };
        if index.origin(at - start) == Origin::Explicit {
            let line = |id: NodeId| self.document.nodes[id.0 as usize].line;
            let duplicate = DuplicateKey {
                key: self.document.text(field.name).to_owned(),
                first_line: line(self.document.fields[at].key),
                line: line(field.key),
            };
            self.document.duplicates.push(duplicate);
        }
        index.replace(&mut self.document, start, at, field, Origin::Explicit);
    }

    /// A merge overrides what stands above it and is overridden by what stands below: go-yaml v2's reading.
    fn merge(&mut self, start: usize, key: NodeId, source: NodeId, index: &mut FieldIndex) -> Result<(), SyntaxError> {
        // A node from before its key came by an alias, and go-yaml wants that to be a mapping.
        let is_alias = source.0 < key.0;
        let sources: Vec<NodeId> = match self.document.nodes[source.0 as usize].kind {
            // Earlier ones win, so they are set last.
            Kind::Sequence(span) if !is_alias => self.document.elements(span).iter().rev().copied().collect(),
            Kind::Mapping(_) | Kind::Sequence(_) | Kind::Scalar { .. } | Kind::Open => vec![source],
        };
        for source in sources {
            let Kind::Mapping(span) = self.document.nodes[source.0 as usize].kind else {
                return Err(self.error_at(source, "`<<` takes a mapping or a list of mappings", None));
            };
            for position in span.start..span.end {
                let field = self.document.fields[position as usize];
                match index.find(&self.document, start, field.name) {
                    Some(at) => index.replace(&mut self.document, start, at, field, Origin::Merged),
                    None => index.push(&mut self.document, start, field, Origin::Merged),
                }
            }
            self.check_aliased(self.document.fields.len() as u64, source)?;
        }
        Ok(())
    }

    /// A key as text. Source: `convertToJSONableObject` of sigs.k8s.io/yaml.
    fn key_name(&mut self, key: NodeId, text: Span, scalar: Scalar) -> Result<Span, SyntaxError> {
        let name = match scalar {
            Scalar::Text => return Ok(text),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Int(value) => value.to_string(),
            Scalar::Float(value) => format_float_key(value),
            Scalar::Null => {
                return Err(self.error_at(key, "a key is empty or null", Some("put it in quotes to make it text")));
            }
            Scalar::Uint(_) => {
                return Err(self.error_at(
                    key,
                    "a number of this size cannot be a key",
                    Some("put it in quotes to make it text"),
                ));
            }
        };
        Ok(self.keep(&name))
    }

    fn close(&mut self, id: NodeId, kind: Kind, weight: u64) -> Result<(), SyntaxError> {
        self.document.nodes[id.0 as usize].kind = kind;
        self.weights[id.0 as usize] = weight;
        self.check_aliased(weight, id)?;
        self.place(id);
        Ok(())
    }

    /// Infinity and NaN may be keys, which are text, but no values: JSON has no such numbers.
    fn check_finite(&self, id: NodeId) -> Result<(), SyntaxError> {
        match self.document.nodes[id.0 as usize].kind {
            Kind::Scalar { text, value: Scalar::Float(number), .. } if !number.is_finite() => {
                let message = format!("`{}` has no form in JSON", shorten(self.document.text(text)));
                Err(self.error_at(id, &message, Some("put it in quotes to make it text")))
            }
            Kind::Scalar { .. } | Kind::Sequence(_) | Kind::Mapping(_) | Kind::Open => Ok(()),
        }
    }

    fn check_aliased(&self, weight: u64, at: NodeId) -> Result<(), SyntaxError> {
        // A mapping counts its keys too, which are nodes; so both sides count the same things.
        if weight.saturating_sub(self.document.nodes.len() as u64) <= MAX_ALIASED_NODES {
            return Ok(());
        }
        let message = format!("aliases and merge keys stand for more than {MAX_ALIASED_NODES} nodes");
        Err(self.error_at(at, &message, Some("write the values out, or split the document")))
    }

    fn place(&mut self, id: NodeId) {
        if self.open.is_empty() {
            self.root = Some(id);
        } else {
            self.pending.push(id);
        }
    }

    fn node(&mut self, kind: Kind, anchor: usize, at: Position) -> NodeId {
        let id = NodeId(self.document.nodes.len() as u32);
        self.document.nodes.push(Node { line: at.line, column: at.column, kind });
        self.weights.push(1);
        if anchor > 0 {
            if self.anchors.len() <= anchor {
                self.anchors.resize(anchor + 1, None);
            }
            self.anchors[anchor] = Some(id);
        }
        id
    }

    fn keep(&mut self, text: &str) -> Span {
        let start = self.document.text.len() as u32;
        self.document.text.push_str(text);
        Span { start, end: self.document.text.len() as u32 }
    }

    fn error_at(&self, id: NodeId, message: &str, hint: Option<&'static str>) -> SyntaxError {
        let node = &self.document.nodes[id.0 as usize];
        SyntaxError::new(Position { line: node.line, column: node.column }, message, hint)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Explicit,
    Merged,
}

/// Finds a field of the mapping being built: by looking at each while there are few, by a map from then on.
#[derive(Default)]
struct FieldIndex {
    by_name: HashMap<String, usize>,
    origins: Vec<Origin>,
}

impl FieldIndex {
    /// Mappings of Kubernetes objects have a handful of keys; only data has more.
    const LINEAR: usize = 16;

    fn find(&self, document: &Document, start: usize, name: Span) -> Option<usize> {
        let wanted = document.text(name);
        if document.fields.len() - start <= Self::LINEAR {
            return (start..document.fields.len()).find(|&at| document.text(document.fields[at].name) == wanted);
        }
        self.by_name.get(wanted).copied()
    }

    fn push(&mut self, document: &mut Document, start: usize, field: Field, origin: Origin) {
        document.fields.push(field);
        self.origins.push(origin);
        let len = document.fields.len() - start;
        if len == Self::LINEAR + 1 {
            for at in start..document.fields.len() {
                self.by_name.insert(document.text(document.fields[at].name).to_owned(), at);
            }
        } else if len > Self::LINEAR {
            self.by_name.insert(document.text(field.name).to_owned(), document.fields.len() - 1);
        }
    }

    fn replace(&mut self, document: &mut Document, start: usize, at: usize, field: Field, origin: Origin) {
        document.fields[at] = field;
        self.origins[at - start] = origin;
    }

    fn origin(&self, offset: usize) -> Origin {
        self.origins[offset]
    }
}

/// Go's `strconv.FormatFloat(value, 'g', -1, 32)`.
fn format_float_key(value: f64) -> String {
    let value = value as f32;
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf".to_owned() } else { "-.inf".to_owned() };
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0".to_owned() } else { "0".to_owned() };
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("`{:e}` writes an exponent");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a whole exponent");
    // Go switches to the exponent form at 10^6 for the shortest digits, and below 10^-4.
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

fn decode_base64(text: &str) -> Option<String> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    if !digits.len().is_multiple_of(4) {
        return None;
    }
    let padding = digits.iter().rev().take_while(|&&byte| byte == b'=').count();
    if padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for &digit in &digits[..digits.len() - padding] {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    // JSON has no bytes: Go replaces them in the same way.
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn shorten(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
