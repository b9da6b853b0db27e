//! What is set about the control socket, judged.

use super::{Reader, keys, refused};
use crate::settings::keys::Key;
use crate::settings::one_line;
use crate::settings::{ControlSettings, Group, Principal};
use wayhaven_shared::Fault;

impl Reader {
    pub(super) fn control(&mut self) -> Result<ControlSettings, Fault> {
        Ok(ControlSettings {
            operators: self.principals(&keys::OPERATORS)?,
            observers: self.principals(&keys::OBSERVERS)?,
            group: self.one(&keys::SOCKET_GROUP, Group::read)?.map(|(group, _)| group),
        })
    }

    /// Users and groups, shown as they were written.
    fn principals(&mut self, key: &'static Key) -> Result<Vec<Principal>, Fault> {
        let Some(given) = self.strongest(key) else { return Ok(Vec::new()) };
        let parts = given.values.iter().flat_map(|value| value.split(',')).map(str::trim);
        let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
        let read =
            |part: &&str| Principal::read(part).map_err(|why| refused(key.name, &given.origin, part, &why));
        let principals = parts.iter().map(read).collect::<Result<_, _>>()?;
        let shown: Vec<_> = parts.iter().map(|part| one_line(part)).collect();
        self.show(key, shown.join(", "), vec![given.origin]);
        Ok(principals)
    }
}
