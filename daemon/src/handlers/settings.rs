//! `settings`: what the daemon works with, and what is changed of it while it runs.

use super::Handle;
use crate::context::Context;
use crate::reload::{Wanted, sources_of};
use crate::settings::{self, Setting};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::settings::{
    SettingShown, SettingsChanged, SettingsSet, SettingsShow, SettingsShown, SettingsUnset,
};
use wayhaven_shared::value::Untrusted;

impl Handle for SettingsShow {
    async fn handle(self, cx: &Context) -> Result<SettingsShown, Fault> {
        let only = self.key.map(|key| settings::key(key.raw().trim())).transpose()?;
        let held = cx.services.settings();
        let asked = held.origins().iter().filter(|one| only.is_none_or(|key| key == one.key));
        Ok(SettingsShown {
            settings: asked.map(shown).collect(),
            not_understood: held.not_understood.clone(),
        })
    }
}

fn shown(setting: &Setting) -> SettingShown {
    let is_default = setting.origins.iter().all(|origin| *origin == settings::Origin::Default);
    let value = if setting.key.secret && is_default { "not set" } else { &setting.value };
    SettingShown {
        key: setting.key.name.to_owned(),
        value: Untrusted::clipped(value),
        sources: sources_of(setting),
        at_once: !setting.key.restart,
        help: setting.key.help.to_owned(),
    }
}

impl Handle for SettingsSet {
    async fn handle(self, cx: &Context) -> Result<SettingsChanged, Fault> {
        change(cx, &self.key, Some(self.value.raw().trim().to_owned())).await
    }
}

impl Handle for SettingsUnset {
    async fn handle(self, cx: &Context) -> Result<SettingsChanged, Fault> {
        change(cx, &self.key, None).await
    }
}

async fn change(cx: &Context, key: &Untrusted, value: Option<String>) -> Result<SettingsChanged, Fault> {
    let (by, dry_run) = (cx.invocation.actor.audit_name(), cx.invocation.dry_run);
    let wanted = Wanted { key: key.raw().trim().to_owned(), value, by, dry_run };
    cx.systems.reload.change(wanted).await
}
