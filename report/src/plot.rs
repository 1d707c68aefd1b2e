//! Plots as a few shapes on a plane, worked out once: both files draw the same. The unit is a point of
//! 1/72 inch, y grows downwards, and the whole is as wide as the text of an A4 page.

use crate::text;

/// How wide every plot is.
pub const WIDTH: f64 = 480.0;
/// How large its letters are.
pub const LETTERS: f64 = 8.5;

/// A plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// Its height.
    pub height: f64,
    /// What is drawn, in this order.
    pub shapes: Vec<Shape>,
}

/// One thing that is drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A thin line of the grid.
    Line {
        /// Where it begins.
        from: (f64, f64),
        /// Where it ends.
        to: (f64, f64),
    },
    /// A bar.
    Bar {
        /// Its upper left corner.
        at: (f64, f64),
        /// Its width and height.
        size: (f64, f64),
    },
    /// A text of one line; it is centred upon y.
    Text {
        /// Where it is.
        at: (f64, f64),
        /// Which part of it is there.
        anchor: Anchor,
        /// What it says.
        text: String,
    },
}

/// Which part of a text is where the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

impl Anchor {
    /// As SVG names it.
    pub fn name(self) -> &'static str {
        match self {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        }
    }
}

/// Columns of a name in a plot; the table below it has the whole name.
const NAME: usize = 30;
/// Where bars begin, and how high a row is.
const LEFT: f64 = 160.0;
const ROW: f64 = 17.0;

/// Bars to the right, one below the other.
pub fn bars(counts: &[(String, u64)]) -> Drawing {
    let largest = counts.iter().map(|(_, number)| *number).max().unwrap_or(0);
    let scale = Scale::of(largest);
    let room = WIDTH - LEFT - 10.0 - LETTERS * 0.6 * text::number(largest).len() as f64;
    let bottom = ROW * counts.len() as f64 + 4.0;
    let mut shapes = Vec::new();
    for (tick, name) in scale.ticks() {
        let x = round(LEFT + room * tick);
        shapes.push(Shape::Line { from: (x, 0.0), to: (x, bottom) });
        if let Some(name) = name {
            shapes.push(Shape::Text { at: (x, bottom + 8.0), anchor: Anchor::Middle, text: name });
        }
    }
    for (row, (name, number)) in counts.iter().enumerate() {
        let middle = ROW * row as f64 + 2.0 + ROW / 2.0;
        let width = round(room * scale.share(*number));
        let name = text::shorten(name, NAME);
        shapes.push(Shape::Text { at: (LEFT - 6.0, middle), anchor: Anchor::End, text: name });
        shapes.push(Shape::Bar { at: (LEFT, middle - 5.5), size: (width, 11.0) });
        let number = text::number(*number);
        let at = (round(LEFT + width + 4.0), middle);
        shapes.push(Shape::Text { at, anchor: Anchor::Start, text: number });
    }
    Drawing { height: bottom + 16.0, shapes }
}

/// Columns side by side, in the order of time.
pub fn columns(counts: &[(String, u64)]) -> Drawing {
    const HIGH: f64 = 120.0;
    const TOP: f64 = 14.0;
    let largest = counts.iter().map(|(_, number)| *number).max().unwrap_or(0);
    let scale = Scale::of(largest);
    let left = 14.0 + LETTERS * 0.6 * scale.longest() as f64;
    let step = (WIDTH - left) / counts.len().max(1) as f64;
    let mut shapes = Vec::new();
    for (tick, name) in scale.ticks() {
        let y = round(TOP + HIGH * (1.0 - tick));
        shapes.push(Shape::Line { from: (round(left), y), to: (WIDTH, y) });
        if let Some(name) = name {
            shapes.push(Shape::Text {
                at: (round(left - 5.0), y),
                anchor: Anchor::End,
                text: name,
            });
        }
    }
    // A name needs 44 points, a number 6 a digit: where there is no room, the table has them.
    let every = (44.0 / step).ceil().max(1.0) as usize;
    let numbers = step >= LETTERS * 0.6 * text::number(largest).len() as f64 + 4.0;
    let wide = (step * 0.7).min(48.0);
    for (place, (name, number)) in counts.iter().enumerate() {
        let middle = round(left + step * (place as f64 + 0.5));
        let high = round(HIGH * scale.share(*number));
        let at = (round(middle - wide / 2.0), round(TOP + HIGH - high));
        shapes.push(Shape::Bar { at, size: (round(wide), high) });
        if numbers {
            let at = (middle, at.1 - 6.0);
            shapes.push(Shape::Text { at, anchor: Anchor::Middle, text: text::number(*number) });
        }
        if place % every == 0 {
            let name = text::shorten(name, 9);
            let at = (middle, TOP + HIGH + 9.0);
            shapes.push(Shape::Text { at, anchor: Anchor::Middle, text: name });
        }
    }
    Drawing { height: TOP + HIGH + 17.0, shapes }
}

// An axis from 0 to a round number in at most five steps of 1, 2 or 5 and zeros.
struct Scale {
    step: u128,
    steps: u128,
}

impl Scale {
    fn of(largest: u64) -> Scale {
        let largest = u128::from(largest.max(1));
        let (mut power, mut step) = (1, 1);
        while largest.div_ceil(step) > 5 {
            step = match step / power {
                1 => 2 * power,
                2 => 5 * power,
                _ => {
                    power *= 10;
                    power
                }
            };
        }
        Scale { step, steps: largest.div_ceil(step) }
    }

    fn share(&self, number: u64) -> f64 {
        number as f64 / (self.step * self.steps) as f64
    }

    fn name(&self, tick: u128) -> String {
        // No axis reaches further than five times the largest number.
        text::number(u64::try_from(self.step * tick).unwrap_or(u64::MAX))
    }

    fn longest(&self) -> usize {
        self.name(self.steps).len()
    }

    // The share of each tick, and its name; long ones only at the ends.
    fn ticks(&self) -> impl Iterator<Item = (f64, Option<String>)> {
        (0..=self.steps).map(|tick| {
            let named = self.longest() <= 9 || tick == 0 || tick == self.steps;
            (tick as f64 / self.steps as f64, named.then(|| self.name(tick)))
        })
    }
}

// A tenth of a point is finer than any printer, and the same on every machine.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number_for_any_count() {
        for (largest, step, steps) in
            [(0, 1, 1), (1, 1, 1), (5, 1, 5), (6, 2, 3), (11, 5, 3), (51, 20, 3), (26, 10, 3)]
        {
            let scale = Scale::of(largest);
            assert_eq!((scale.step, scale.steps), (step, steps), "{largest}");
        }
        for largest in [999, 1_000_000, u64::MAX] {
            let scale = Scale::of(largest);
            assert!(scale.steps <= 5 && scale.share(largest) <= 1.0, "{largest}");
            assert!(scale.share(largest) > 0.4, "{largest}: the bars use the room");
        }
    }

    #[test]
    fn bars_and_columns_stay_on_the_plane() {
        let many: Vec<(String, u64)> =
            (0..36).map(|n| (format!("2026-{n:02}"), u64::MAX >> n)).collect();
        for drawing in [bars(&many[..20]), columns(&many), columns(&many[..3]), columns(&[])] {
            for shape in &drawing.shapes {
                if let Shape::Bar { at, size } = shape {
                    assert!(at.0 >= 0.0 && at.0 + size.0 <= WIDTH + 0.1, "{shape:?}");
                    assert!(at.1 >= 0.0 && at.1 + size.1 <= drawing.height, "{shape:?}");
                }
            }
        }
    }
}
