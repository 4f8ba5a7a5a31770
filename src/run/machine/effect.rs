//! An effect and where it stands. PURE.

use super::super::event::{Gate, Intent, Undo, UndoAction, UndoOutcome};

/// Where an effect stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EffectState {
    /// About to be sent, or sent.
    Intended,
    /// Its answer was lost.
    Doubted,
    /// It happened.
    Applied {
        /// The object's UID.
        uid: String,
    },
    /// It did not happen.
    Absent,
    /// The name belongs to somebody else.
    Foreign,
    /// Its undo was announced.
    Undoing {
        /// The object's UID.
        uid: String,
    },
    /// Undone, gone, or no longer ours.
    Over(UndoOutcome),
    /// It stays by policy.
    Kept,
    /// It could not be undone in time.
    Left {
        /// The object's UID, where it is known to have happened; none = still doubted.
        uid: Option<String>,
    },
    /// A leftover that is gone.
    Cleared,
}

/// An effect and its state.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// As it was announced.
    pub intent: Intent,
    /// The boot that its `send_by` counts from.
    pub boot: String,
    /// Where it stands.
    pub state: EffectState,
    /// Undos announced so far.
    pub undo_attempts: u32,
    /// Whether it was ever a leftover.
    pub was_left: bool,
}

impl Effect {
    /// Whether nothing remains to be done for it before the run may end.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match &self.state {
            EffectState::Absent
            | EffectState::Foreign
            | EffectState::Over(_)
            | EffectState::Kept
            | EffectState::Left { .. }
            | EffectState::Cleared => true,
            EffectState::Applied { .. } => matches!(self.intent.undo, Undo::None(_)),
            EffectState::Intended | EffectState::Doubted | EffectState::Undoing { .. } => false,
        }
    }

    /// Whether nothing of it is in the world or may still come, but what is to stay there. A
    /// leftover is final and has not been given back.
    #[must_use]
    pub fn is_given_back(&self) -> bool {
        match &self.state {
            EffectState::Left { .. } => false,
            EffectState::Applied { .. } => !matches!(self.intent.undo, Undo::By { .. }),
            _ => self.is_final(),
        }
    }

    /// Whether it is a Velero Restore.
    #[must_use]
    pub fn is_restore(&self) -> bool {
        self.intent.target.kind == "Restore" && self.intent.target.group == "velero.io"
    }

    /// Whether its undo gives a node back: those never wait for another chain.
    #[must_use]
    pub fn is_cordon(&self) -> bool {
        matches!(self.intent.undo, Undo::By { action: UndoAction::Uncordon, .. })
    }

    /// Whether it is a sandbox: Velero makes a namespace of its name if a Restore comes late.
    #[must_use]
    pub fn is_sandbox(&self) -> bool {
        matches!(self.intent.undo, Undo::By { gate: Some(Gate::RestoresTerminal), .. })
    }

    /// Whether its undo comes last on its cluster (the Lease).
    #[must_use]
    pub fn is_last(&self) -> bool {
        matches!(self.intent.undo, Undo::By { gate: Some(Gate::Last), .. })
    }
}
