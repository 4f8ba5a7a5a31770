//! A page of 80 columns that nothing hostile gets onto. PURE.

use crate::report::words;

/// Collects lines. Every text that comes in is neutralised, then wrapped.
#[derive(Default)]
pub(super) struct Page {
    out: String,
}

/// A row's cells, and lines that belong under it.
pub(super) type Row<const N: usize> = ([String; N], Vec<String>);

impl Page {
    /// A paragraph: wrapped, with `indent` before the first line and two columns more before the
    /// others.
    pub(super) fn line(&mut self, indent: &str, text: &str) {
        self.hang(indent, &format!("{indent}  "), text);
    }

    /// A paragraph of a list.
    pub(super) fn item(&mut self, indent: &str, text: &str) {
        self.hang(&format!("{indent}- "), &format!("{indent}  "), text);
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.out.push('\n');
    }

    /// The first line: a word, and what it is about.
    pub(super) fn title(&mut self, word: &str, of: &str) {
        self.hang(&format!("{word}  "), "  ", of);
    }

    /// A section begins.
    pub(super) fn heading(&mut self, section: &str, of: &str) {
        self.gap();
        if of.is_empty() {
            self.raw(section);
        } else {
            self.title(section, of);
        }
    }

    /// A name and its value, the values below each other.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        self.hang(&format!("  {name:<11}"), &" ".repeat(13), value);
    }

    /// Rows with aligned columns, each cell cut to the widest that `limits` allows. The last column
    /// is right-aligned.
    pub(super) fn table<const N: usize>(&mut self, limits: [usize; N], rows: &[Row<N>]) {
        let cells = |cells: &[String; N]| cells.clone().map(|cell| words::neutral(&cell));
        let mut widths = [0; N];
        for (row, _) in rows {
            for (at, cell) in cells(row).iter().enumerate() {
                widths[at] = words::width(cell).max(widths[at]).min(limits[at]);
            }
        }
        for (row, under) in rows {
            let mut line = String::from(" ");
            for (at, cell) in cells(row).iter().enumerate() {
                let cell = words::clip(cell, widths[at]);
                let fill = " ".repeat(widths[at].saturating_sub(words::width(&cell)));
                line.push(' ');
                line += &if at + 1 == N { fill + &cell } else { cell + &fill + " " };
            }
            self.raw(line.trim_end());
            for text in under {
                self.line("      ", text);
            }
        }
    }

    /// A line that is known to be harmless and to fit.
    pub(super) fn raw(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    fn hang(&mut self, first: &str, next: &str, text: &str) {
        let columns = words::WIDTH - next.len().max(first.len());
        for (at, line) in words::wrap(&words::neutral(text), columns).iter().enumerate() {
            self.out.push_str(if at == 0 { first } else { next });
            self.raw(line);
        }
    }

    /// Everything so far.
    pub(super) fn finish(self) -> String {
        self.out
    }
}
