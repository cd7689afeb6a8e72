//! The looks of a page (sizes and colours), and the search for faults in each.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aksarc_tests::chromium::{Browser, Tab};
use aksarc_tests::npm;
use anyhow::Context;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

/// A size and a colour scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    PhoneLight,
    PhoneDark,
    LaptopLight,
    LaptopDark,
    Paper,
}

impl Look {
    pub(crate) const ALL: [Look; 5] =
        [Look::PhoneLight, Look::PhoneDark, Look::LaptopLight, Look::LaptopDark, Look::Paper];

    /// Width and height in CSS pixels. Paper is what the margins leave of the width of A4.
    fn size(self) -> (u32, u32) {
        match self {
            Look::PhoneLight | Look::PhoneDark => (390, 844),
            Look::LaptopLight | Look::LaptopDark => (1366, 768),
            Look::Paper => (695, 1020),
        }
    }

    fn scheme(self) -> &'static str {
        match self {
            Look::PhoneDark | Look::LaptopDark => "dark",
            Look::PhoneLight | Look::LaptopLight | Look::Paper => "light",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Look::PhoneLight => "phone-light",
            Look::PhoneDark => "phone-dark",
            Look::LaptopLight => "laptop-light",
            Look::LaptopDark => "laptop-dark",
            Look::Paper => "paper",
        }
    }
}

/// A browser with axe-core, and the directory for its pictures.
pub(crate) struct Looker<'b> {
    browser: &'b mut Browser,
    axe: String,
    kept: PathBuf,
}

impl<'b> Looker<'b> {
    pub(crate) fn new(browser: &'b mut Browser) -> anyhow::Result<Self> {
        let axe = npm::modules("axe-core")?.join("axe-core/axe.min.js");
        let axe = fs::read_to_string(&axe).with_context(|| format!("cannot read {}", axe.display()))?;
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("html-screenshots");
        fs::create_dir_all(&kept).with_context(|| format!("cannot create {}", kept.display()))?;
        Ok(Looker { browser, axe, kept })
    }

    /// Keeps a file beside the pictures.
    pub(crate) fn keep(&self, name: &str, bytes: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.kept.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Says where the pictures are, past the test runner's capture.
    pub(crate) fn say(&self) {
        // A closed stderr is no reason to fail.
        let _ = writeln!(io::stderr(), "pictures of the HTML report: {}", self.kept.display());
    }

    /// The faults of a page, of which pictures are kept under this name.
    pub(crate) fn look(&mut self, name: &str, file: &Path, look: Look) -> anyhow::Result<Vec<String>> {
        let mut tab = self.browser.tab()?;
        let mut faults = begin(&mut tab, file, look)?;
        let picture = if look == Look::Paper { print(&mut tab)? } else { screenshot(&mut tab)? };
        let ending = if look == Look::Paper { "pdf" } else { "png" };
        faults.extend(examine(&mut tab, &self.axe)?);
        drop(tab);
        self.keep(&format!("{name}-{}.{ending}", look.word()), &picture)?;
        Ok(faults)
    }

    /// The faults of a page.
    pub(crate) fn look_at(&mut self, file: &Path, look: Look) -> anyhow::Result<Vec<String>> {
        let mut tab = self.browser.tab()?;
        let mut faults = begin(&mut tab, file, look)?;
        faults.extend(examine(&mut tab, &self.axe)?);
        Ok(faults)
    }
}

/// Opens a page in a look, and returns what it asked for or said while it was loaded.
fn begin(tab: &mut Tab<'_>, file: &Path, look: Look) -> anyhow::Result<Vec<String>> {
    let (width, height) = look.size();
    let mobile = matches!(look, Look::PhoneLight | Look::PhoneDark);
    tab.call(
        "Emulation.setDeviceMetricsOverride",
        &json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}),
    )?;
    let media = if look == Look::Paper { "print" } else { "screen" };
    let features = json!([{"name": "prefers-color-scheme", "value": look.scheme()}]);
    tab.call("Emulation.setEmulatedMedia", &json!({"media": media, "features": features}))?;
    let events = tab.load(file)?;
    Ok(happened(&events, file))
}

/// Unwanted events: requests, messages, and the browser's own complaints.
fn happened(events: &[Value], file: &Path) -> Vec<String> {
    let own = format!("file://{}", file.display());
    let text = |event: &Value, way: &str| event.pointer(way).map(ToString::to_string).unwrap_or_default();
    let faults = events.iter().filter_map(|event| match event.get("method")?.as_str()? {
        "Network.requestWillBeSent" => {
            let url = event.pointer("/params/request/url")?.as_str()?;
            (url != own).then(|| format!("the page asks for {url}"))
        }
        "Log.entryAdded" => Some(format!("a message of the browser: {}", text(event, "/params/entry/text"))),
        "Runtime.consoleAPICalled" => Some(format!("a message of the page: {}", text(event, "/params/args"))),
        "Runtime.exceptionThrown" => {
            Some(format!("a message of the page: {}", text(event, "/params/exceptionDetails")))
        }
        "Audits.issueAdded" => Some(format!("an issue: {}", text(event, "/params/issue"))),
        _ => None,
    });
    faults.collect()
}

/// Examines the whole page, with all folded parts open.
fn examine(tab: &mut Tab<'_>, axe: &str) -> anyhow::Result<Vec<String>> {
    tab.run("document.querySelectorAll('details').forEach(one => { one.open = true; })")?;
    let mut faults = words(&tab.run(OVERFLOW)?);
    faults.extend(words(&tab.run(GLYPHS)?));
    faults.extend(words(&tab.run(CONTRAST_OF_PICTURES)?));
    tab.run(&format!("{axe}; true"))?;
    faults.extend(words(&tab.run(AXE)?));
    let events = tab.events();
    let said = events.iter().filter_map(|event| event.pointer("/params/entry/text"));
    faults.extend(said.map(|text| format!("a message of the browser: {text}")));
    Ok(faults)
}

fn words(list: &Value) -> Vec<String> {
    let words = list.as_array().into_iter().flatten();
    words.map(|word| word.as_str().unwrap_or_default().to_owned()).collect()
}

/// A picture of the whole page, as far down as Chromium can draw one.
fn screenshot(tab: &mut Tab<'_>) -> anyhow::Result<Vec<u8>> {
    let size =
        tab.run("[document.documentElement.clientWidth, Math.min(document.documentElement.scrollHeight, 16000)]")?;
    let clip = json!({"x": 0, "y": 0, "width": size.get(0), "height": size.get(1), "scale": 1});
    let params = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
    bytes(tab.call("Page.captureScreenshot", &params)?)
}

fn print(tab: &mut Tab<'_>) -> anyhow::Result<Vec<u8>> {
    let printed = tab.call("Page.printToPDF", &json!({"preferCSSPageSize": true, "printBackground": true}))?;
    bytes(printed)
}

fn bytes(mut answer: Value) -> anyhow::Result<Vec<u8>> {
    let data = answer.get_mut("data").map(Value::take).context("no data")?;
    Ok(serde_json::from_value::<ByteString>(data)?.0)
}

/// Elements that stand out of the window, or whose contents stand out of them. What is hidden from the eyes on purpose has
/// no place in it.
const OVERFLOW: &str = r#"(() => {
  const width = document.documentElement.clientWidth;
  const name = one => `<${one.tagName.toLowerCase()} class="${one.getAttribute('class') || ''}"> ${one.textContent.trim().slice(0, 60)}`;
  const faults = [];
  if (document.documentElement.scrollWidth > width) faults.push(`the page is wider than the window: ${document.documentElement.scrollWidth}`);
  const hidden = one => { for (; one; one = one.parentElement) if (getComputedStyle(one).clipPath === 'inset(50%)') return true; };
  for (const one of document.querySelectorAll('body *')) {
    const boxes = [...one.getClientRects()].filter(box => box.width > 0 && box.height > 0);
    if (!boxes.length || hidden(one)) continue;
    const out = boxes.find(box => box.right > width + 0.5 || box.left < -0.5);
    if (out) faults.push(`outside the window, ${Math.round(out.left)} to ${Math.round(out.right)} of ${width}: ${name(one)}`);
    const flows = one instanceof HTMLElement && getComputedStyle(one).display !== 'inline';
    if (flows && one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1) faults.push(`contents stand out, ${one.scrollWidth} of ${one.clientWidth}: ${name(one)}`);
  }
  return faults.slice(0, 20);
})()"#;

/// Characters that no font shows: drawn, they look as one does that no font can have.
const GLYPHS: &str = r"(() => {
  const canvas = new OffscreenCanvas(48, 48);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const drawn = (text, font) => {
    context.clearRect(0, 0, 48, 48);
    context.font = `28px ${font}`;
    context.fillText(text, 8, 34);
    return context.getImageData(0, 0, 48, 48).data.join();
  };
  const texts = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const font = getComputedStyle(walker.currentNode.parentElement).fontFamily;
    if (!texts.has(font)) texts.set(font, new Set());
    for (const letter of walker.currentNode.data) texts.get(font).add(letter);
  }
  const faults = [];
  for (const [font, letters] of texts) {
    const none = drawn('\u{10fffd}', font);
    for (const letter of letters) {
      if (letter.trim() && drawn(letter, font) === none) faults.push(`no glyph for U+${letter.codePointAt(0).toString(16)} in ${font}`);
    }
  }
  return faults;
})()";

/// Text in pictures that is hard to read on what is behind it: a shape of its own group, or the page. axe-core cannot tell.
const CONTRAST_OF_PICTURES: &str = r"(() => {
  const light = color => {
    const parts = color.match(/[\d.]+/g).slice(0, 3).map(part => part / 255);
    const [red, green, blue] = parts.map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = one => {
    const shape = one.parentElement.querySelector('circle');
    if (shape && one.parentElement.tagName === 'g') return getComputedStyle(shape).fill;
    for (; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if (one instanceof HTMLElement && color !== 'rgba(0, 0, 0, 0)') return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const faults = [];
  for (const one of document.querySelectorAll('svg text')) {
    const [a, b] = [light(getComputedStyle(one).fill), light(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(2)} of ${one.textContent} in a picture`);
  }
  return faults;
})()";

/// The faults that axe-core reports, and the texts whose contrast it cannot determine.
const AXE: &str = r"axe.run(document, { resultTypes: ['violations', 'incomplete'] }).then(results => {
  const picture = node => document.querySelector(node.target[0])?.closest('svg');
  const undecided = results.incomplete.filter(rule => rule.id === 'color-contrast')
    .map(rule => ({ ...rule, nodes: rule.nodes.filter(node => !picture(node)) })).filter(rule => rule.nodes.length);
  return [...results.violations, ...undecided].map(rule =>
    `axe: ${rule.id}: ${rule.help}: ${rule.nodes.slice(0, 3).map(node => `${node.target}: ${node.failureSummary || (node.any[0] || {}).message}`).join(' | ')}`);
})";
