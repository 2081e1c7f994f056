//! Every relative link in a Markdown file leads to a file of the repository, and to a heading that this file has.

use std::collections::HashMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

#[test]
fn links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = HashMap::new();
    for path in markdown_files(root).unwrap() {
        let page = Page::read(&path).unwrap();
        pages.insert(path, page);
    }
    let broken: Vec<String> = pages
        .iter()
        .flat_map(|(path, page)| page.links.iter().map(move |link| (path, link)))
        .filter(|(path, link)| !leads_somewhere(path, link, &pages))
        .map(|(path, link)| format!("{}: {link}", path.display()))
        .collect();
    let links: usize = pages.values().map(|page| page.links.len()).sum();
    assert!(links > 200, "only {links} links were found");
    assert_eq!(broken, Vec::<String>::new());
}

/// The targets of a page's relative links, and the anchors of its headings.
#[derive(Default)]
struct Page {
    links: Vec<String>,
    anchors: Vec<String>,
}

impl Page {
    fn read(path: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let mut page = Page::default();
        let mut heading: Option<String> = None;
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    let is_relative = !dest_url.contains(':');
                    page.links.extend(is_relative.then(|| dest_url.to_string()));
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    page.anchors
                        .extend(heading.take().map(|text| anchor(&text)));
                }
                _ => {}
            }
        }
        Ok(page)
    }
}

fn leads_somewhere(from: &Path, link: &str, pages: &HashMap<PathBuf, Page>) -> bool {
    let (file, anchor) = match link.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor)),
        None => (link, None),
    };
    let target = match file {
        "" => from.to_owned(),
        file => without_dots(&from.with_file_name(file)),
    };
    match anchor {
        None => target.exists(),
        Some(anchor) => pages
            .get(&target)
            .is_some_and(|page| page.anchors.iter().any(|known| known == anchor)),
    }
}

/// The anchor that GitHub gives to a heading.
///
/// Source: GitHub's documentation of section links: lower case, spaces to hyphens, other punctuation removed.
fn anchor(heading: &str) -> String {
    let heading = heading.trim().to_lowercase();
    let kept = heading.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        _ => c.is_alphanumeric().then_some(c),
    });
    kept.collect()
}

fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

fn markdown_files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let is_page = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "md");
    let mut pages: Vec<PathBuf> = entries(root)?.into_iter().filter(is_page).collect();
    let mut folders = ["docs", "envoy", "fuzz", "benches", "tests"]
        .map(|name| root.join(name))
        .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in entries(&folder)? {
            let is_built = ["target", "node_modules"]
                .iter()
                .any(|name| entry.ends_with(name));
            if entry.is_dir() && !is_built {
                folders.push(entry);
            } else if is_page(&entry) {
                pages.push(entry);
            }
        }
    }
    Ok(pages)
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?;
    entries.map(|entry| Ok(entry?.path())).collect()
}
