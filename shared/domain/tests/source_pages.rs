//! The committed pages of `docs/sources` are those that presets and samples yield.

use std::collections::BTreeMap;

#[path = "../examples/source_pages/render.rs"]
mod render;

#[test]
fn the_committed_pages_are_those_of_the_presets() {
    let entries = std::fs::read_dir(render::folder()).unwrap();
    let committed: BTreeMap<String, String> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (
                name,
                String::from_utf8(std::fs::read(path).unwrap()).unwrap(),
            )
        })
        .collect();
    let pages = render::pages().unwrap();
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(&pages));
    for (name, text) in pages {
        assert!(
            committed[&name] == text,
            "make docs/sources/{name} anew: cargo run -p domain --example source_pages"
        );
    }
}
