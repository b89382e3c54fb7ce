//! Reads DOT, the language of Graphviz, as far as a picture of cables goes: nodes and edges with their
//! attributes and lines. It takes what Graphviz takes, and names with `.` and `-` without quotes as the
//! tools around it do.
//!
//! It is our own because a complaint needs the line of a node or cable, which parsers of DOT do not keep.

use std::collections::{BTreeMap, BTreeSet};

use super::drawing::{Drawing, RawEdge, RawEnd, RawNode};
use super::error::Complaint;
use super::picture::is_compass;

/// A token and where it begins.
#[derive(Debug, Clone)]
struct Token {
    kind: Kind,
    line: usize,
    column: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// A name, number, quoted text or HTML; keywords are names without quotes.
    Name {
        text: String,
        plain: bool,
    },
    /// `--` or `->`.
    Edge,
    /// `{`, `}`, `[`, `]`, `;`, `,`, `:`, `=`, or a character that DOT does not have.
    Mark(char),
    /// Text in quotes, HTML or a comment that does not end, by what would end it.
    Endless(&'static str),
    End,
}

/// Reads a picture; `file` is the name used in complaints. A syntax error costs its line, and the rest is
/// read on for further ones.
pub(super) fn read(text: &str, file: &str) -> Drawing {
    let mut lexer = Lexer::new(text);
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next();
        tokens.push(token);
        if matches!(tokens.last(), Some(Token { kind: Kind::End, .. }) | None) {
            break;
        }
    }
    let (drawing, seen) = (Drawing::default(), BTreeSet::new());
    let mut parser = Parser { tokens, at: 0, depth: 0, file, text, drawing, seen };
    parser.graph();
    parser.drawing
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    column: usize,
    /// Only blanks were seen on this line: `#` begins a comment here.
    at_start: bool,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { rest, line: 1, column: 1, at_start: true }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.rest = &self.rest[next.len_utf8()..];
        if next == '\n' {
            (self.line, self.column, self.at_start) = (self.line + 1, 1, true);
        } else {
            self.column += 1;
            self.at_start &= next.is_whitespace();
        }
        Some(next)
    }

    /// Takes characters as long as `wanted` holds for what is left.
    fn take_while(&mut self, wanted: impl Fn(&str) -> bool) -> &'a str {
        let start = self.rest;
        while !self.rest.is_empty() && wanted(self.rest) {
            self.bump();
        }
        &start[..start.len() - self.rest.len()]
    }

    /// Skips blanks and comments; what would end a comment that does not end.
    fn skip_blanks(&mut self) -> Option<&'static str> {
        loop {
            self.take_while(|rest| rest.starts_with(char::is_whitespace));
            if self.rest.starts_with("//") || self.at_start && self.rest.starts_with('#') {
                self.take_while(|rest| !rest.starts_with('\n'));
            } else if self.rest.starts_with("/*") {
                self.take_while(|rest| !rest.starts_with("*/"));
                if self.rest.is_empty() {
                    return Some("*/");
                }
                self.bump();
                self.bump();
            } else {
                return None;
            }
        }
    }

    fn next(&mut self) -> Token {
        let endless = self.skip_blanks();
        let (line, column) = (self.line, self.column);
        let kind = match (endless, self.peek()) {
            (Some(end), _) => Kind::Endless(end),
            (None, None) => Kind::End,
            (None, Some('"')) => self.quoted(),
            (None, Some('<')) => self.html(),
            (None, Some(_)) if self.rest.starts_with("--") || self.rest.starts_with("->") => {
                self.bump();
                self.bump();
                Kind::Edge
            }
            (None, Some(first)) => match self.take_while(is_name) {
                "" => {
                    self.bump();
                    Kind::Mark(first)
                }
                name => Kind::Name { text: name.to_owned(), plain: true },
            },
        };
        Token { kind, line, column }
    }

    /// Text in quotes; several joined by `+` are one.
    fn quoted(&mut self) -> Kind {
        let mut text = String::new();
        loop {
            self.bump();
            loop {
                match self.bump() {
                    None => return Kind::Endless("\""),
                    Some('"') => break,
                    // Of all escapes only that of the quote is the language's own.
                    Some('\\') if self.rest.starts_with('"') => text.extend(self.bump()),
                    Some('\\') if self.rest.starts_with('\n') => drop(self.bump()),
                    Some(other) => text.push(other),
                }
            }
            let mut ahead =
                Self { rest: self.rest, line: self.line, column: self.column, at_start: false };
            ahead.skip_blanks();
            if ahead.bump() != Some('+') {
                return Kind::Name { text, plain: false };
            }
            ahead.skip_blanks();
            if ahead.peek() != Some('"') {
                return Kind::Name { text, plain: false };
            }
            *self = ahead;
        }
    }

    /// Text in angle brackets, which nest.
    fn html(&mut self) -> Kind {
        let (mut text, mut depth) = (String::new(), 0_usize);
        while let Some(next) = self.bump() {
            text.push(next);
            match next {
                '<' => depth += 1,
                '>' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Kind::Name { text, plain: false };
            }
        }
        Kind::Endless(">")
    }
}

/// Whether a name goes on or begins here: `-` belongs to it between letters and before digits, where it is
/// no edge.
fn is_name(rest: &str) -> bool {
    let mut chars = rest.chars();
    match chars.next() {
        Some('-') => chars.next().is_some_and(|next| next.is_alphanumeric() || next == '_'),
        Some(first) => first.is_alphanumeric() || first == '_' || first == '.',
        None => false,
    }
}

impl Token {
    /// Whether this is the keyword.
    fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::Name { text, plain: true } if text.eq_ignore_ascii_case(word))
    }

    fn is(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

/// A statement that could not be read; the complaint is filed.
struct Broken;

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    /// Number of groups around the next token.
    depth: usize,
    file: &'a str,
    text: &'a str,
    drawing: Drawing,
    /// Names of all nodes so far, whether or not anything is said of them.
    seen: BTreeSet<String>,
}

impl Parser<'_> {
    /// The next token; behind the last one that one again.
    fn here(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn accept(&mut self, mark: char) -> bool {
        let found = self.here().is(mark);
        self.at += usize::from(found);
        found
    }

    fn accept_word(&mut self, words: &[&str]) -> bool {
        let found = words.iter().any(|word| self.here().is_word(word));
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, mark: char) -> Result<(), Broken> {
        if self.accept(mark) { Ok(()) } else { Err(self.complain()) }
    }

    fn name(&mut self) -> Result<String, Broken> {
        match self.here().kind.clone() {
            Kind::Name { text, .. } => {
                self.at += 1;
                Ok(text)
            }
            _ => Err(self.complain()),
        }
    }

    /// Files a complaint about the next token.
    fn complain(&mut self) -> Broken {
        let Token { kind, line, column } = self.here().clone();
        let here = self.text.lines().nth(line - 1).unwrap_or_default().chars();
        let here: String = here.skip(column - 1).collect();
        let message = match (&kind, here.trim()) {
            (Kind::Endless(end), _) => {
                format!("what begins in column {column} has no end; write {end} where it ends")
            }
            (Kind::End, _) => {
                "the file ends before the graph does; write } where the graph ends".to_owned()
            }
            (_, found) => format!(
                "`{found}` in column {column} cannot stand here; correct it, or the end of the statement before it"
            ),
        };
        self.drawing.is_broken = true;
        self.drawing.complaints.push(Complaint::at(self.file, line, message));
        Broken
    }

    fn graph(&mut self) {
        self.accept_word(&["strict"]);
        self.drawing.is_directed = self.here().is_word("digraph");
        if !self.accept_word(&["graph", "digraph"]) {
            let line = self.here().line;
            self.drawing.is_broken = true;
            self.drawing.complaints.push(Complaint::at(
                self.file,
                line,
                "a picture begins with `graph NAME {`; write that before the first node",
            ));
            return;
        }
        if !self.here().is('{') && self.name().is_err() {
            return;
        }
        if self.expect('{').is_err() {
            return;
        }
        let mut defaults = BTreeMap::new();
        self.statements(&mut defaults);
        let Token { kind, line, .. } = self.here();
        if *kind != Kind::End && !self.drawing.is_broken {
            let note = format!("{} line {line}: what follows the graph is left out", self.file);
            self.drawing.notes.push(note);
        }
    }

    /// Reads statements up to the `}` that ends them; the names of the nodes in them.
    fn statements(&mut self, defaults: &mut BTreeMap<String, String>) -> Vec<RawEnd> {
        let mut members = Vec::new();
        loop {
            if self.accept('}') {
                return members;
            }
            if self.accept(';') || self.accept(',') {
                continue;
            }
            if self.here().kind == Kind::End {
                self.complain();
                return members;
            }
            if self.statement(defaults, &mut members).is_err() {
                // The rest of the line belongs to what was wrong.
                let line = self.here().line;
                let is_over = |token: &Token| token.line > line || token.is('}');
                while !is_over(self.here()) && self.here().kind != Kind::End {
                    self.at += 1;
                }
                if self.drawing.complaints.len() >= MOST_COMPLAINTS {
                    self.at = self.tokens.len();
                    return members;
                }
            }
        }
    }

    fn statement(
        &mut self,
        defaults: &mut BTreeMap<String, String>,
        members: &mut Vec<RawEnd>,
    ) -> Result<(), Broken> {
        let ahead = self.tokens.get(self.at + 1);
        let is_setting = ahead.is_some_and(|token| token.is('='));
        if is_setting {
            // How a drawing program paints the graph is not our concern.
            self.at += 2;
            self.name()?;
            return Ok(());
        }
        if self.accept_word(&["node"]) {
            defaults.extend(self.attributes()?);
            return Ok(());
        }
        if self.accept_word(&["graph", "edge"]) {
            self.attributes()?;
            return Ok(());
        }
        let line = self.here().line;
        let mut groups = vec![self.vertices(defaults)?];
        while self.here().kind == Kind::Edge {
            self.at += 1;
            groups.push(self.vertices(defaults)?);
        }
        let attributes = self.attributes()?;
        let is_node = matches!(&groups[..], [Vertices { is_group: false, .. }]);
        for end in groups.iter().filter(|it| !it.is_group).flat_map(|it| &it.ends) {
            let name = end.node.clone();
            // Defaults are for nodes that are new.
            let is_new = self.seen.insert(name.clone());
            let mut all = if is_new { defaults.clone() } else { BTreeMap::new() };
            if is_node {
                all.extend(attributes.clone());
            }
            if is_node || !all.is_empty() {
                let node = RawNode { name, attributes: all, is_declared: is_node, line };
                self.drawing.nodes.push(node);
            }
        }
        for pair in groups.windows(2) {
            for left in &pair[0].ends {
                for right in &pair[1].ends {
                    let ends = [left.clone(), right.clone()];
                    let attributes = attributes.clone();
                    self.drawing.edges.push(RawEdge { ends, attributes, line });
                }
            }
        }
        members.extend(groups.into_iter().flat_map(|group| group.ends));
        Ok(())
    }

    /// A node with its port, or all nodes of a group in braces.
    fn vertices(&mut self, defaults: &BTreeMap<String, String>) -> Result<Vertices, Broken> {
        let is_subgraph = self.accept_word(&["subgraph"]);
        if is_subgraph && !self.here().is('{') {
            self.name()?;
        }
        if is_subgraph || self.here().is('{') {
            if self.depth == DEEPEST {
                return Err(self.complain());
            }
            self.expect('{')?;
            self.depth += 1;
            let members = self.statements(&mut defaults.clone());
            self.depth -= 1;
            let mut ends: Vec<RawEnd> = Vec::new();
            for RawEnd { node, .. } in members {
                if ends.iter().all(|end| end.node != node) {
                    ends.push(RawEnd { node, port: None });
                }
            }
            return Ok(Vertices { ends, is_group: true });
        }
        let node = self.name()?;
        let port = if self.accept(':') { Some(self.name()?) } else { None };
        let port = port.filter(|port| !is_compass(port));
        if self.accept(':') {
            // A compass point behind the port.
            self.name()?;
        }
        Ok(Vertices { ends: vec![RawEnd { node, port }], is_group: false })
    }

    /// Lists of attributes in brackets, as many as there are.
    fn attributes(&mut self) -> Result<BTreeMap<String, String>, Broken> {
        let mut attributes = BTreeMap::new();
        while self.accept('[') {
            while !self.accept(']') {
                let key = self.name()?;
                let value = if self.accept('=') { self.name()? } else { "true".to_owned() };
                attributes.insert(key, value);
                if self.accept(';') || self.accept(',') {}
            }
        }
        Ok(attributes)
    }
}

/// What stands on one side of an edge.
struct Vertices {
    ends: Vec<RawEnd>,
    is_group: bool,
}

/// So many groups may be within each other: reading one takes room on the stack.
const DEEPEST: usize = 64;
/// After so many complaints about one file the rest would only follow from them.
const MOST_COMPLAINTS: usize = 20;
