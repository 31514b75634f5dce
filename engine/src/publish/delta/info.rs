//! What a commit of Kiln states about itself: who made it, and what it changed.
//!
//! It is in `commitInfo.kiln`, which other writers carry no further. What must outlive the commit's own file, the
//! epochs of runs, is also in transaction identifiers, which every writer keeps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::actions::{Action, Add, Txn};
use super::checkpoint::APP;
use super::steps::RunEpochs;
use crate::error::{Error, Result};
use crate::job::Output;
use crate::publish::head::{Claim, Published, Scope};

/// The tag of a file that holds the epoch of its publish.
pub const EPOCH_TAG: &str = "kiln.epoch";

/// `commitInfo.kiln`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KilnInfo {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    pub sequence: u32,
    pub attempt: u32,
    pub epoch: u64,
    pub publish: String,
    /// What was changed; nothing in a commit that only claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, u64>,
}

impl KilnInfo {
    /// That of a commit under `claim` which changes nothing.
    pub fn of(claim: &Claim) -> KilnInfo {
        let Claim { run_id, sequence, attempt, epoch, publish } = claim.clone();
        KilnInfo {
            run_id,
            sequence,
            attempt,
            epoch,
            publish,
            scope: None,
            output: None,
            counters: BTreeMap::new(),
        }
    }

    /// That of a commit, if Kiln has made it.
    pub fn in_commit(actions: &[Action]) -> Option<KilnInfo> {
        let info = actions.iter().find_map(|action| action.commit_info.as_ref())?;
        KilnInfo::deserialize(info.get("kiln")?).ok()
    }

    /// Whether it is of the run and the write of `claim`.
    pub fn is_of_run(&self, claim: &Claim) -> bool {
        self.run_id.is_some() && self.run_id == claim.run_id && self.sequence == claim.sequence
    }

    /// The record of the publish that made `version`; nothing for a commit that only claims.
    pub fn published(self, version: u64) -> Option<Published> {
        let KilnInfo { run_id, sequence, attempt, epoch, publish, scope, output, counters } = self;
        let claim = Claim { run_id, sequence, attempt, epoch, publish };
        Some(Published { claim, version, scope: scope?, output: output.unwrap_or_default(), counters })
    }

    /// The action, with what readers of the history show.
    pub fn action(
        &self,
        operation: &str,
        parameters: serde_json::Value,
        is_append: bool,
        now: i64,
    ) -> Result<Action> {
        let kiln = serde_json::to_value(self)
            .map_err(|e| Error::bug("the information about a commit cannot be written").because(e))?;
        let info = json!({
            "timestamp": now,
            "operation": operation,
            "operationParameters": parameters,
            "isBlindAppend": is_append,
            "engineInfo": concat!("kiln/", env!("CARGO_PKG_VERSION")),
            "kiln": kiln,
        });
        Ok(Action { commit_info: Some(info), ..Action::default() })
    }
}

/// The transaction identifier of the publish of a run, or of its claim; nothing for a run whose id was not given, which
/// has one attempt only.
pub fn app_id(claim: &Claim, kind: AppKind) -> Option<String> {
    let kind = match kind {
        AppKind::Run => "run",
        AppKind::Claim => "claim",
    };
    claim.run_id.as_ref().map(|run| format!("{APP}{kind}/{run}/{}", claim.sequence))
}

/// What a transaction identifier is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppKind {
    /// The run has published.
    Run,
    /// An attempt of it has claimed the table.
    Claim,
}

/// The action that records the epoch of `claim`.
pub fn txn(claim: &Claim, kind: AppKind, now: i64) -> Option<Action> {
    let version = i64::try_from(claim.epoch).unwrap_or(i64::MAX);
    let txn = app_id(claim, kind).map(|app_id| Txn { app_id, version, last_updated: Some(now) });
    txn.map(|txn| Action { txn: Some(txn), ..Action::default() })
}

/// The epochs that a table holds for the run of `claim`.
pub fn epochs(txns: &BTreeMap<String, Txn>, claim: &Claim) -> RunEpochs {
    let of = |kind| {
        let txn = txns.get(&app_id(claim, kind)?)?;
        u64::try_from(txn.version).ok()
    };
    RunEpochs { published: of(AppKind::Run), claimed: of(AppKind::Claim) }
}

/// The epoch of the publish that added a file, if Kiln has added it.
pub fn epoch_of(add: &Add) -> Option<u64> {
    add.tags.as_ref()?.get(EPOCH_TAG)?.as_deref()?.parse().ok()
}
