//! `assay subnets`: which subnets there are rules for, their numbers, and which rules are in force where.

use crate::cli::SubnetsArgs;
use crate::output::{self, Align};
use crate::subnets::{self, NetworkName, Subnet};
use anyhow::Result;
use domain::ruleset::RuleSet;
use domain::types::NetUid;
use serde::Serialize;
use std::process::ExitCode;

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    title: &'static str,
    /// Null where no document states it.
    netuid: Numbers,
    upstream: &'static str,
    version: &'static str,
    rules: Vec<Rules>,
    #[serde(skip_serializing_if = "str::is_empty")]
    note: &'static str,
}

#[derive(Serialize)]
struct Numbers {
    finney: Option<NetUid>,
    test: Option<NetUid>,
    local: Option<NetUid>,
}

#[derive(Serialize)]
struct Rules {
    name: String,
    hash: String,
    default_on: Vec<&'static str>,
}

/// Prints them all.
pub fn run(args: &SubnetsArgs) -> Result<ExitCode> {
    if args.json {
        let listed: Vec<Listed> = subnets::ALL.iter().map(listed).collect();
        output::json(&listed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let left = |heading| (heading, Align::Left);
    let columns = [
        left("subnet"),
        ("finney", Align::Right),
        ("test", Align::Right),
        left("upstream"),
        left("rule set"),
        left("sha-256 of its canonical JSON"),
        left("in force on"),
    ];
    output::table(&columns, &subnets::ALL.iter().flat_map(rows).collect::<Vec<_>>());
    output::notice("A number that no document states is shown as -; --netuid gives it.");
    for subnet in subnets::ALL.iter().filter(|subnet| !subnet.note.is_empty()) {
        output::notice(format!("{}: {}", subnet.name, subnet.note));
    }
    Ok(ExitCode::SUCCESS)
}

/// A row for each rule set; what is the same for all of a subnet stands in the first.
fn rows(subnet: &Subnet) -> Vec<Vec<String>> {
    let number = |network| subnet.number(network).map_or_else(|| "-".to_owned(), |netuid| netuid.to_string());
    let mut first = Some([
        subnet.name.to_owned(),
        number(NetworkName::Finney),
        number(NetworkName::Test),
        format!("{} {}", subnet.upstream, subnet.version),
    ]);
    let rules = subnet.rule_sets().into_iter().map(|rules| {
        let mut row = first.take().map_or_else(|| vec![String::new(); 4], Vec::from);
        row.extend([rules.name(), rules.hash().to_string(), default_on(subnet, &rules).join(", ")]);
        row
    });
    rules.collect()
}

fn default_on(subnet: &Subnet, rules: &RuleSet) -> Vec<&'static str> {
    let of = |network: &NetworkName| subnet.default_rules(*network) == rules.name();
    NetworkName::ALL.into_iter().filter(of).map(NetworkName::name).collect()
}

fn listed(subnet: &Subnet) -> Listed {
    let rules = |rules: RuleSet| Rules {
        name: rules.name(),
        hash: rules.hash().to_string(),
        default_on: default_on(subnet, &rules),
    };
    Listed {
        name: subnet.name,
        title: subnet.title,
        netuid: Numbers {
            finney: subnet.number(NetworkName::Finney),
            test: subnet.number(NetworkName::Test),
            local: subnet.number(NetworkName::Local),
        },
        upstream: subnet.upstream,
        version: subnet.version,
        rules: subnet.rule_sets().into_iter().map(rules).collect(),
        note: subnet.note,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_set_has_a_row_and_each_network_one_default() {
        for subnet in &subnets::ALL {
            let rows = rows(subnet);
            assert_eq!(rows.len(), subnet.rule_sets().len());
            assert_eq!((rows[0][0].as_str(), rows[1][0].as_str()), (subnet.name, ""));
            let mut defaults: Vec<&str> =
                listed(subnet).rules.iter().flat_map(|rules| rules.default_on.clone()).collect();
            defaults.sort_unstable();
            assert_eq!(defaults, ["finney", "local", "test"], "{}", subnet.name);
        }
        let conversion = rows(&subnets::CONVERSION);
        assert_eq!((conversion[0][1].as_str(), conversion[0][2].as_str()), ("-", "-"));
    }
}
