//! JSON of bills of materials, one component at a time: what nobody asks for is passed over and never held, so that
//! a bill of any length takes the memory of its packages alone.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Elements of a list within one component; syft's longest lists of licences have some hundred.
const MOST_ELEMENTS: usize = 1000;

/// A text; whatever else stands in its place says nothing.
#[derive(Default, Clone, Debug)]
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_unit<E>(self) -> Result<Text, E> {
                Ok(Text::default())
            }

            fn visit_bool<E>(self, _: bool) -> Result<Text, E> {
                Ok(Text::default())
            }

            fn visit_i64<E>(self, _: i64) -> Result<Text, E> {
                Ok(Text::default())
            }

            fn visit_u64<E>(self, _: u64) -> Result<Text, E> {
                Ok(Text::default())
            }

            fn visit_f64<E>(self, _: f64) -> Result<Text, E> {
                Ok(Text::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Text::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Text::default())
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A list within a component, no longer than anybody writes one; `null` is an empty one.
#[derive(Clone, Debug)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut list = Vec::new();
        let push = |element| {
            if list.len() < MOST_ELEMENTS {
                list.push(element);
            }
        };
        Each::new(push).deserialize(deserializer)?;
        Ok(Self(list))
    }
}

/// A list whose elements are given away as they come; `null` has none.
pub struct Each<T, F>(F, PhantomData<T>);

impl<T, F: FnMut(T)> Each<T, F> {
    pub fn new(take: F) -> Self {
        Self(take, PhantomData)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> DeserializeSeed<'de> for Each<T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> Visitor<'de> for Each<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(element) = seq.next_element()? {
            (self.0)(element);
        }
        Ok(())
    }
}

/// What of a bill is taken as it comes, whichever of the forms it turns out to be.
pub trait Takes {
    fn component(&mut self, component: Component);
    fn spdx(&mut self, package: SpdxPackage);
    fn artifact(&mut self, artifact: Artifact);
}

/// What stands at the top, of all forms.
#[derive(Default)]
pub struct Top {
    /// CycloneDX.
    pub bom_format: String,
    /// SPDX.
    pub spdx_version: String,
    /// SPDX: what the document is called.
    pub name: String,
    /// CycloneDX.
    pub metadata: Metadata,
    /// Syft: where the description of its form lies.
    pub schema: Schema,
    /// Syft.
    pub distribution: Distro,
    /// Syft: what was looked at.
    pub source: Source,
}

/// The whole document.
pub struct Document<'t, T>(pub &'t mut T);

impl<'de, T: Takes> DeserializeSeed<'de> for Document<'_, T> {
    type Value = Top;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Top, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Takes> Visitor<'de> for Document<'_, T> {
    type Value = Top;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bill of materials")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Top, A::Error> {
        let mut top = Top::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match &*key {
                "bomFormat" => top.bom_format = map.next_value::<Text>()?.0,
                "spdxVersion" => top.spdx_version = map.next_value::<Text>()?.0,
                "name" => top.name = map.next_value::<Text>()?.0,
                "metadata" => top.metadata = map.next_value::<Option<Metadata>>()?.unwrap_or_default(),
                "schema" => top.schema = map.next_value::<Option<Schema>>()?.unwrap_or_default(),
                "distro" => top.distribution = map.next_value::<Option<Distro>>()?.unwrap_or_default(),
                "source" => top.source = map.next_value::<Option<Source>>()?.unwrap_or_default(),
                "components" => map.next_value_seed(Components(self.0))?,
                "packages" => map.next_value_seed(Each::new(|package| self.0.spdx(package)))?,
                "artifacts" => map.next_value_seed(Each::new(|artifact| self.0.artifact(artifact)))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(top)
    }
}

/// A component of CycloneDX.
#[derive(Default)]
pub struct Component {
    pub kind: String,
    pub name: String,
    pub version: String,
    pub purl: String,
    pub scope: String,
    pub properties: List<Property>,
    pub licences: List<LicenceChoice>,
    pub evidence: ComponentEvidence,
}

/// Components, also those inside of others. How deep they lie is bounded by the parser.
struct Components<'t, T>(&'t mut T);

impl<'de, T: Takes> DeserializeSeed<'de> for Components<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Takes> Visitor<'de> for Components<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of components")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(OneComponent(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

struct OneComponent<'t, T>(&'t mut T);

impl<'de, T: Takes> DeserializeSeed<'de> for OneComponent<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Takes> Visitor<'de> for OneComponent<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a component")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut component = Component::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match &*key {
                "type" => component.kind = map.next_value::<Text>()?.0,
                "name" => component.name = map.next_value::<Text>()?.0,
                "version" => component.version = map.next_value::<Text>()?.0,
                "purl" => component.purl = map.next_value::<Text>()?.0,
                "scope" => component.scope = map.next_value::<Text>()?.0,
                "properties" => component.properties = map.next_value()?,
                "licenses" => component.licences = map.next_value()?,
                "evidence" => component.evidence = map.next_value::<Option<_>>()?.unwrap_or_default(),
                "components" => map.next_value_seed(Components(&mut *self.0))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        self.0.component(component);
        Ok(())
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Metadata {
    pub timestamp: Text,
    pub component: Option<Subject>,
}

/// What a bill is of.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Subject {
    pub name: Text,
    pub version: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Property {
    pub name: Text,
    pub value: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct LicenceChoice {
    pub license: Option<Licence>,
    pub expression: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Licence {
    pub id: Text,
    pub name: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ComponentEvidence {
    pub occurrences: List<Occurrence>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Occurrence {
    pub location: Text,
}

/// A package of SPDX.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SpdxPackage {
    pub name: Text,
    pub version_info: Text,
    pub primary_package_purpose: Text,
    pub source_info: Text,
    pub license_declared: Text,
    pub external_refs: List<ExternalReference>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExternalReference {
    pub reference_type: Text,
    pub reference_locator: Text,
}

/// A package of syft's own form.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Artifact {
    pub name: Text,
    pub version: Text,
    pub purl: Text,
    pub locations: List<Location>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Location {
    pub path: Text,
    #[serde(rename = "layerID")]
    pub layer: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Schema {
    pub url: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Distro {
    pub id: Text,
    #[serde(rename = "versionID")]
    pub version: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Source {
    pub name: Text,
    pub version: Text,
}
