//! What the HTML documents have in common: each is one file that needs nothing else, and prints. Whatever stands in one is
//! escaped by its type; only our own style and drawings go in as they are.

use super::escape::printable;
use maud::{DOCTYPE, Markup, PreEscaped, Render, html};

const STYLE: &str = "body{font:15px/1.5 system-ui,'Segoe UI',Helvetica,Arial,sans-serif;max-width:1080px;margin:2em auto;padding:0 1em;color:#222;background:#fff}\
h1{font-size:1.6em;margin-bottom:.2em}h2{font-size:1.2em;margin-top:1.8em}table{border-collapse:collapse}td,th{padding:.25em .8em;border-bottom:1px solid #ddd;text-align:right}\
th:first-child,td:first-child{text-align:left}td small{color:#666}.big{font-size:1.5em}.note{color:#666}.charts{display:flex;flex-wrap:wrap;gap:1em}.charts svg{break-inside:avoid}\
@media print{body{max-width:none;margin:0}h2{break-after:avoid}table,svg{break-inside:avoid}}";

/// Nothing is fetched and nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// What is in a document's head.
#[derive(Default)]
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    /// Laid out as wide as the screen, on a telephone too.
    pub(super) viewport: bool,
    /// Style beyond what all documents share.
    pub(super) style: &'static str,
    /// What may be shown beyond [`POLICY`].
    pub(super) policy: &'static str,
}

impl Page<'_> {
    /// The document.
    pub(super) fn around(&self, body: &Markup) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    @if self.viewport { meta name="viewport" content="width=device-width"; }
                    meta http-equiv="Content-Security-Policy" content={ (POLICY) (self.policy) };
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) (PreEscaped(self.style)) }
                }
                body { (body) }
            }
            "\n"
        };
        printable(&page.into_string())
    }
}

/// The first row of a table.
pub(super) fn head_row(names: &[&str]) -> Markup {
    html! { tr { @for name in names { th { (name) } } } }
}

pub(super) fn list<T: Render>(lines: impl IntoIterator<Item = T>) -> Markup {
    html! { ul { @for line in lines { li { (line) } } } }
}

#[cfg(test)]
pub(super) mod tests {
    /// Holds a document with a name that would be markup against the one with a name of the same length that would not:
    /// nothing else differs. Drawings write the apostrophe in another way.
    pub(in super::super) fn stays_text(document: impl Fn(&str) -> String) {
        let page = document("<b>&\"'");
        assert!(page.contains("&lt;b&gt;&amp;&quot;"), "{page}");
        let calm = page.replace("&lt;b&gt;&amp;&quot;'", "a name").replace("&lt;b&gt;&amp;&quot;&#39;", "a name");
        assert_eq!(calm, document("a name"));
        assert!(!document("a\u{1}b\u{7f}").contains(|c: char| c.is_control() && c != '\n'));
    }
}
