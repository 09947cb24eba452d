//! Who may do what, by AWS's documented logic: tables of policies, requests and what is expected, and properties that hold for
//! any policies.

mod oracle;
mod properties;
mod table;

/// Every table, with the number of decisions that it must hold, so that none is lost unnoticed.
const TABLES: [(&str, &str); 8] = [
    ("elements", include_str!("decisions/elements.txt")),
    ("principals", include_str!("decisions/principals.txt")),
    ("one_account", include_str!("decisions/one_account.txt")),
    ("accounts", include_str!("decisions/accounts.txt")),
    ("operators", include_str!("decisions/operators.txt")),
    ("sets", include_str!("decisions/sets.txt")),
    ("keys", include_str!("decisions/keys.txt")),
    ("variables", include_str!("decisions/variables.txt")),
];

#[test]
fn every_documented_decision_is_made_so() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, text) in TABLES {
        let rows = table::read(text);
        count += rows.len();
        for row in rows {
            let found = row.decide();
            if !row.agrees(&found) {
                wrong.push(format!(
                    "{name}.txt:{}: {} gave {found}, not {}",
                    row.line, row.title, row.expected
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 200, "only {count} decisions are left");
}
