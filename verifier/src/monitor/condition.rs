//! Conditions in CEL, the Common Expression Language: an expression always ends, and reaches nothing but the
//! names that it is given.

use super::facts::{self, Facts, NAMES, On};
use cel::objects::Map;
use cel::{Context, Env, Program};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// The longest expression, in bytes.
const MAX_SOURCE: usize = 4096;

/// A condition over events of one kind.
pub(crate) struct Condition {
    program: Program,
    env: Arc<Env>,
    /// The names that it looks at.
    names: Vec<&'static str>,
}

/// What compiles conditions.
pub(crate) struct Compiler(Arc<Env>);

impl Compiler {
    pub(crate) fn new() -> Compiler {
        Compiler(Arc::new(Env::stdlib()))
    }

    /// Compiles an expression, looks at its names, and tries it on an event in which nothing is missing. The
    /// error begins with `line:column:` where the parser knows it.
    pub(crate) fn compile(&self, source: &str, on: On) -> Result<Condition, String> {
        if source.len() > MAX_SOURCE {
            return Err(format!(
                "the expression has {} bytes, at most {MAX_SOURCE} are taken",
                source.len()
            ));
        }
        let program = self.0.compile(source).map_err(|errors| {
            let first = errors.errors.first();
            first.map_or("it does not parse".into(), |error| {
                format!("{}:{}: {}", error.pos.0, error.pos.1, error.msg)
            })
        })?;
        let mut names = Vec::new();
        for used in program.references().variables() {
            match NAMES.iter().find(|name| name.name == used && name.on.contains(&on)) {
                Some(name) => names.push(name.name),
                None if is_bound(source, used) => {}
                None => return Err(unknown(source, used, on)),
            }
        }
        let condition = Condition { program, env: self.0.clone(), names };
        // What is wrong with its types shows here, and not on the day on which it should have told.
        condition.holds(&facts::sample(on))?;
        Ok(condition)
    }
}

impl Condition {
    /// Whether it holds of an event; the error says why that cannot be said.
    pub(crate) fn holds(&self, facts: &Facts) -> Result<bool, String> {
        let mut context = Context::with_env(self.env.clone());
        for name in &self.names {
            let value = facts.get(*name).unwrap_or(&Value::Null);
            context.add_variable_from_value(*name, to_cel(value));
        }
        match self.program.execute(&context) {
            Ok(cel::Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("it gives {}, a bool was expected", other.type_of())),
            Err(why) => Err(why.to_string()),
        }
    }
}

fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(flag) => cel::Value::Bool(*flag),
        // One type of whole numbers, so that they can be reckoned with: sizes and times stay far below its end.
        Value::Number(number) => match number.as_i64() {
            Some(number) => cel::Value::Int(number),
            None if number.is_u64() => cel::Value::Int(i64::MAX),
            None => cel::Value::Float(number.as_f64().unwrap_or(0.0)),
        },
        Value::String(text) => cel::Value::String(Arc::new(text.clone())),
        Value::Array(items) => cel::Value::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), to_cel(value)));
            cel::Value::Map(Map::from(fields.collect::<HashMap<String, cel::Value>>()))
        }
    }
}

// Whether a macro such as `exists(x, ..)` gives the name its meaning.
fn is_bound(source: &str, name: &str) -> bool {
    let dense: String = source.chars().filter(|c| !c.is_whitespace()).collect();
    name.starts_with('@') || name.starts_with("__") || dense.contains(&format!("({name},"))
}

fn unknown(source: &str, name: &str, on: On) -> String {
    let known = NAMES.iter().filter(|known| known.on.contains(&on)).map(|known| known.name);
    let known: Vec<&str> = known.collect();
    let at = source.find(name).unwrap_or(0);
    let before = source.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("{line}:{column}: {:?} has no name {name:?}; it has {}", on.word(), known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn compile(source: &str) -> Result<Condition, String> {
        Compiler::new().compile(source, On::Record)
    }

    fn holds(source: &str, facts: Value) -> Result<bool, String> {
        let Value::Object(facts) = facts else { panic!("an object") };
        compile(source).unwrap().holds(&facts)
    }

    #[test]
    fn conditions_see_the_names_of_their_event() {
        let facts = || json!({"operator": "Ada", "document": {"size": 7, "name": "a.bin"}, "factors": ["a", "b"]});
        for (source, expected) in [
            ("operator == \"Ada\"", true),
            ("operator == null", false),
            ("document.size > 6 && document.name.endsWith(\".bin\")", true),
            ("document != null && document.size - 8 < 0", true),
            ("purpose == null", true),
            ("factors.exists(x, x == \"b\")", true),
            ("size(factors) > 2", false),
            ("operator in [\"Ada\", \"Grace\"]", true),
            ("document.name.matches(\"^a[.]\")", true),
        ] {
            assert_eq!(holds(source, facts()), Ok(expected), "{source}");
        }
        assert!(holds("document.size > 6", json!({"document": null})).is_err());
        assert_eq!(holds("claimed > 3", json!({"claimed": u64::MAX})), Ok(true));
    }

    #[test]
    fn what_is_wrong_with_a_condition_is_said_when_it_is_loaded() {
        for (source, expected) in [
            ("operator ==", "1:12"),
            ("operator == \"Ada\" &&\n  nobody == 1", "2:3: \"record\" has no name \"nobody\""),
            ("false && oprator == \"x\"", "1:10: "),
            ("index", "a bool was expected"),
            ("operator > 3", "no matching overload"),
            ("document.weight > 3", "weight"),
            ("reader == \"x\"", "no name \"reader\""),
            ("f(operator)", "f"),
        ] {
            let why = compile(source).err().unwrap_or_else(|| panic!("{source} was taken"));
            assert!(why.contains(expected), "{source}: {why}");
        }
        for source in [
            "(".repeat(3000),
            "[".repeat(200),
            "-".repeat(4000),
            format!("{}1", "!".repeat(3000)),
            "a.".repeat(2000),
            "\u{0}".into(),
            "'\\u".into(),
            "a{b:".into(),
            "X{}".into(),
        ] {
            assert!(compile(&source).is_err(), "{source}");
        }
        assert!(compile(&"x".repeat(5000)).is_err());
    }
}
