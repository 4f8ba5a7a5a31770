//! Field tables: what an object of the language may have. The decoder, the schema and the
//! reference pages all follow from them.
//!
//! PURE.

/// An object of the language.
#[derive(Debug)]
pub struct Table {
    /// What it is, with an article: "a step".
    pub what: &'static str,
    /// Its fields, in groups, so that a list such as that of the kinds can be one of them.
    pub groups: &'static [&'static [Field]],
    /// Which of its keys may stand together.
    pub rules: &'static [Rule],
}

/// A key of an object. Made by [`Field::required`], [`Field::optional`] or [`Field::default`].
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// What its value looks like.
    pub shape: Shape,
    /// Whether it must be there.
    pub need: Need,
    /// One or two sentences for the reference.
    pub doc: &'static str,
    /// A value for the reference, written as in YAML; none: its default, or what its table shows.
    pub example: Option<&'static str>,
    /// Read and checked, but this version does nothing with it; what happens instead, in a
    /// sentence. Whoever writes the key is warned, and a drill that has it is refused a run.
    pub pending: Option<&'static str>,
}

/// Which keys of an object may stand together.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// Exactly one of these keys stands there.
    One(&'static [&'static str]),
    /// At most one of these keys stands there.
    AtMostOne(&'static [&'static str]),
    /// Beside the first key each of the others must stand.
    Needs(&'static str, &'static [&'static str]),
    /// Beside the first key at least one of the others must stand.
    NeedsOne(&'static str, &'static [&'static str]),
    /// Beside the first key none of the others has a meaning.
    Refuses(&'static str, &'static [&'static str]),
}

impl Field {
    /// A key that must be there.
    #[must_use]
    pub const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, need: Need::Required, doc, example: None, pending: None }
    }

    /// A key that may be left out, which means something of its own.
    #[must_use]
    pub const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, need: Need::Optional, doc, example: None, pending: None }
    }

    /// A key that may be left out, which means the value `default`, written as in YAML.
    #[must_use]
    pub const fn default(
        name: &'static str,
        shape: Shape,
        default: &'static str,
        doc: &'static str,
    ) -> Self {
        Self { name, shape, need: Need::Default(default), doc, example: None, pending: None }
    }

    /// With a value for the reference.
    #[must_use]
    pub const fn example(mut self, example: &'static str) -> Self {
        self.example = Some(example);
        self
    }

    /// Read and checked, but not acted on by this version.
    #[must_use]
    pub const fn pending(mut self, instead: &'static str) -> Self {
        self.pending = Some(instead);
        self
    }
}

/// The names of fields, for a [`Rule`] about a group such as that of the kinds.
#[must_use]
pub const fn names<const N: usize>(fields: &[Field; N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = fields[at].name;
        at += 1;
    }
    names
}

/// Whether a key must be there.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// It must.
    Required,
    /// It may be left out, which means something of its own.
    Optional,
    /// It may be left out, which means this value, written as in YAML.
    Default(&'static str),
}

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Any text that is not empty.
    Text,
    /// Any text, also none.
    TextOrEmpty,
    /// A DNS-1123 label of at most 40 characters.
    Name,
    /// A DNS-1123 label of at most 63 characters: a namespace.
    Namespace,
    /// A DNS-1123 subdomain of at most 253 characters: an object of Kubernetes, or `resource.group`.
    ObjectName,
    /// The name of a thing of the configuration.
    Configured(Sort),
    /// The name of a step of one of these kinds; of any kind if there are none.
    Step(&'static [&'static str]),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number between two others.
    Count(u64, u64),
    /// A whole number between two others, or a share from `1%` to `100%`.
    CountOrShare(u64, u64),
    /// A share from `1%` to `100%`.
    Share,
    /// Any finite number.
    Number,
    /// A text, a number or a boolean, to be compared with something of the world.
    Scalar,
    /// A port: a number from 1 to 65535, or a port's name.
    Port,
    /// An address to listen on: an IP address and a port.
    Address,
    /// A duration above zero.
    Duration,
    /// A duration, also `0s`.
    DurationOrZero,
    /// A label selector in Kubernetes' syntax.
    Selector,
    /// The value of a label, not empty.
    LabelValue,
    /// An http or https URL without user, query and fragment.
    Url,
    /// An https URL without user, query and fragment.
    HttpsUrl,
    /// The path of a URL.
    UrlPath,
    /// A file or folder.
    File,
    /// Five fields or a macro.
    Cron,
    /// An IANA time zone.
    TimeZone,
    /// Labels: a map from label keys to label values.
    Labels,
    /// A list of texts of this shape, at least one.
    Texts(&'static Shape),
    /// An object.
    Object(&'static Table),
    /// A list of objects.
    Objects(&'static Table),
    /// A map from names to objects.
    Named(&'static Table),
    /// Part of the language, but not of this version; the text says what to do instead.
    Later(&'static str),
}

/// What the configuration names and drills refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// One of `clusters`.
    Cluster,
    /// One of `targets`.
    Target,
    /// One of `stores`.
    Store,
}

impl Sort {
    /// One of them, as in "the configuration has no ...".
    #[must_use]
    pub fn one(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Target => "target",
            Self::Store => "store",
        }
    }

    /// The key of the configuration that holds them.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Cluster => "clusters",
            Self::Target => "targets",
            Self::Store => "stores",
        }
    }
}

impl Table {
    /// All fields.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> + Clone + use<> {
        self.groups.iter().flat_map(|group| group.iter())
    }

    /// A field by its name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.name == name)
    }

    /// The keys that it takes.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        self.fields()
            .filter(|field| !matches!(field.shape, Shape::Later(_)))
            .map(|field| field.name)
    }
}

impl Shape {
    /// What is expected, in words that continue "expected ...".
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::Text | Self::TextOrEmpty => "text".to_owned(),
            Self::Name => "a name".to_owned(),
            Self::Namespace => "the name of a namespace".to_owned(),
            Self::ObjectName => "the name of a Kubernetes object".to_owned(),
            Self::Configured(sort) => format!("the name of a {}", sort.one()),
            Self::Step(_) => "the name of a step".to_owned(),
            Self::Choice(words) => match words {
                [rest @ .., last] if !rest.is_empty() => {
                    let rest: Vec<String> = rest.iter().map(|word| format!("`{word}`")).collect();
                    format!("{} or `{last}`", rest.join(", "))
                }
                words => words.iter().map(|word| format!("`{word}`")).collect(),
            },
            Self::Flag => "`true` or `false`".to_owned(),
            Self::Count(least, most) => format!("a whole number from {least} to {most}"),
            Self::CountOrShare(least, most) => {
                format!("a whole number from {least} to {most}, or a share such as `25%`")
            }
            Self::Share => "a share such as `25%`".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Scalar => "a text, a number or a boolean".to_owned(),
            Self::Port => "a port's number or name".to_owned(),
            Self::Address => "an address such as `127.0.0.1:9090`".to_owned(),
            Self::Duration | Self::DurationOrZero => "a duration such as `15m`".to_owned(),
            Self::Selector => "a label selector such as `a=b,c!=d`".to_owned(),
            Self::LabelValue => "the value of a label".to_owned(),
            Self::Url => "an http or https URL".to_owned(),
            Self::HttpsUrl => "an https URL".to_owned(),
            Self::UrlPath => "a path such as `/healthz`".to_owned(),
            Self::File => "a file name".to_owned(),
            Self::Cron => "a cron expression such as `0 3 * * mon`".to_owned(),
            Self::TimeZone => "a time zone such as `Europe/Berlin`".to_owned(),
            Self::Labels => "a map of labels".to_owned(),
            Self::Texts(_) | Self::Objects(_) => "a list".to_owned(),
            Self::Object(_) => "a map".to_owned(),
            Self::Named(_) => "a map from names".to_owned(),
            Self::Later(_) => "nothing".to_owned(),
        }
    }
}
