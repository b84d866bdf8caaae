//! A strict reader of the pages: every tag closed in order, every attribute
//! quoted and given once, every reference to an element that exists.

// Each test file uses some of it.
#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};

/// Elements of HTML that have no end tag.
const VOID: [&str; 6] = ["br", "hr", "img", "link", "meta", "input"];

/// Elements whose content is not markup.
const RAW: [&str; 2] = ["script", "style"];

/// An element's start tag.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
    /// All text in it, entities resolved, scripts and styles left out.
    pub(crate) text: String,
}

impl Element {
    /// An attribute, or nothing.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// The anchors of a page's sections.
pub(crate) fn sections(elements: &[Element]) -> Vec<&str> {
    elements
        .iter()
        .filter(|element| element.name == "section")
        .map(|element| element.get("id"))
        .collect()
}

/// The elements of a name that have a class.
pub(crate) fn with_class<'a>(
    elements: &'a [Element],
    name: &'a str,
    class: &'a str,
) -> Vec<&'a Element> {
    elements
        .iter()
        .filter(|element| element.name == name)
        .filter(|element| element.get("class").split(' ').any(|own| own == class))
        .collect()
}

/// Neither text nor drawing shows what is no number, and nothing is drawn outside
/// of its place.
pub(crate) fn assert_finite(elements: &[Element]) {
    for element in elements {
        let page = (element.name == "html").then_some(element.text.as_str());
        let values = element.attributes.values().map(String::as_str);
        for value in values.chain(page) {
            for bad in ["NaN", "inf", "-0.00"] {
                let is_word = value
                    .split(|character: char| {
                        !character.is_alphanumeric() && !"-.".contains(character)
                    })
                    .any(|word| word == bad);
                assert!(!is_word, "{bad} in {value:.200}");
            }
        }
        for name in ["x", "x1", "x2", "cx", "width"] {
            if let Some(share) = element.get(name).strip_suffix('%') {
                let share: f64 = share.parse().expect("a share is a number");
                assert!((0.0..=100.0).contains(&share), "{name} is {share} %");
            }
        }
    }
}

/// All elements of a page in the order of their start tags.
///
/// # Panics
/// If the page is not well formed.
pub(crate) fn read(page: &str) -> Vec<Element> {
    let mut rest = page
        .strip_prefix("<!DOCTYPE html>")
        .expect("a page begins with its doctype");
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    while !rest.trim_start().is_empty() {
        let start = rest.find('<').unwrap_or(rest.len());
        let text = resolved(&rest[..start]);
        assert!(
            !open.is_empty() || text.trim().is_empty(),
            "text outside of html: {text:?}"
        );
        for &element in &open {
            elements[element].text.push_str(&text);
        }
        rest = &rest[start..];
        if rest.is_empty() {
            break;
        }
        if let Some(after) = rest.strip_prefix("</") {
            let (name, after) = after.split_once('>').expect("an end tag ends");
            let closed = open.pop().map(|element| elements[element].name.as_str());
            assert_eq!(closed, Some(name), "the end tag fits the open element");
            rest = after;
            continue;
        }
        let (element, after) = start_tag(&rest[1..]);
        rest = after;
        let name = element.name.clone();
        elements.push(element);
        if RAW.contains(&name.as_str()) {
            let end = format!("</{name}>");
            rest = rest.split_once(&end).expect("raw text ends").1;
        } else if !VOID.contains(&name.as_str()) {
            open.push(elements.len() - 1);
        }
    }
    assert!(open.is_empty(), "{} elements stay open", open.len());
    check_references(&elements);
    elements
}

fn start_tag(text: &str) -> (Element, &str) {
    let end = text
        .find(|character: char| !character.is_ascii_alphanumeric())
        .expect("a tag ends");
    let mut element = Element {
        name: text[..end].to_owned(),
        attributes: BTreeMap::new(),
        text: String::new(),
    };
    assert!(!element.name.is_empty(), "a tag has a name: {:.40}", text);
    let mut rest = &text[end..];
    loop {
        if let Some(after) = rest.strip_prefix('>') {
            return (element, after);
        }
        let attribute = rest
            .strip_prefix(' ')
            .expect("a space before each attribute");
        let end = attribute
            .find(|character: char| !(character.is_ascii_alphanumeric() || character == '-'))
            .expect("an attribute ends");
        let name = attribute[..end].to_owned();
        assert!(
            !name.is_empty(),
            "an attribute has a name: {:.40}",
            attribute
        );
        rest = &attribute[end..];
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix("=\"") {
            let (quoted, after) = after.split_once('"').expect("a value's quotes close");
            assert!(!quoted.contains('<'), "{quoted:?} is escaped");
            value = resolved(quoted);
            rest = after;
        }
        let before = element.attributes.insert(name.clone(), value);
        assert!(before.is_none(), "{name} is given once in {}", element.name);
    }
}

/// Text with its entities resolved.
fn resolved(text: &str) -> String {
    let mut parts = text.split('&');
    let mut resolved = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, after) = part.split_once(';').expect("an ampersand is escaped");
        resolved.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            _ => panic!("unknown entity {entity:?}"),
        });
        resolved.push_str(after);
    }
    resolved
}

fn check_references(elements: &[Element]) {
    let mut ids = BTreeSet::new();
    for element in elements {
        let id = element.get("id");
        assert!(id.is_empty() || ids.insert(id), "{id} is given once");
    }
    for element in elements {
        let anchor = element.get("href").strip_prefix('#');
        for reference in anchor
            .into_iter()
            .chain(element.get("aria-labelledby").split(' '))
        {
            assert!(
                reference.is_empty() || ids.contains(reference),
                "{reference} exists"
            );
        }
    }
}
