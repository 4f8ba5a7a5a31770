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
}

/// A key of an object.
#[derive(Debug)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// What its value looks like.
    pub shape: Shape,
    /// Whether it must be there.
    pub need: Need,
    /// One or two sentences for the reference.
    pub doc: &'static str,
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
    /// The name of a step of one of these kinds; of any kind if there are none.
    Step(&'static [&'static str]),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number between two others.
    Count(u64, u64),
    /// A duration above zero.
    Duration,
    /// A duration, also `0s`.
    DurationOrZero,
    /// A label selector in Kubernetes' syntax.
    Selector,
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

    /// The keys that this version takes.
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
            Self::Duration | Self::DurationOrZero => "a duration such as `15m`".to_owned(),
            Self::Selector => "a label selector such as `a=b,c!=d`".to_owned(),
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
