//! The alert that this machine's clock and Discord's differ: one while they do.

use crate::services::Services;
use crate::store::{AlertFilter, BY_ITSELF, Severity};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::status::{MAX_CLOCK_OFFSET_MS, clock_words};
use wayhaven_shared::value::Untrusted;

/// The alert's kind.
const KIND: &str = "clock_skew";

/// Below this difference the alert is resolved, in milliseconds: lower than where it is raised, so that a difference
/// near that raises no alert after another.
const RESOLVED_BELOW_MS: i64 = 3_000;

/// Raises the alert, or resolves it.
pub(super) async fn look(services: &Services) -> Result<(), Fault> {
    let Some(measured) = services.clock().measured_skew().map(|skew| skew.millis()) else { return Ok(()) };
    let filter = AlertFilter { kind: Some(KIND.into()), ..AlertFilter::default() };
    let open = services.store().read(move |view| Ok(view.alerts(&filter, u16::MAX)?)).await?;
    let words = clock_words(measured);
    if open.is_empty() && measured.abs() > MAX_CLOCK_OFFSET_MS {
        tracing::warn!("this machine's clock is {words}");
        let details = format!(
            "This machine's clock is {words}. The ends of timeouts are corrected by that. Set the clock right: \
             timedatectl set-ntp true"
        );
        let raise = move |change: &crate::store::Change<'_>| {
            Ok(change.alert(KIND, Severity::High, None, None, &details)?)
        };
        services.store().write(raise).await?;
    } else if !open.is_empty() && measured.abs() < RESOLVED_BELOW_MS {
        tracing::info!("this machine's clock {words}");
        let resolve = move |change: &crate::store::Change<'_>| {
            let note = Untrusted::clipped(&format!("This machine's clock {words} again."));
            for alert in open {
                change.resolve_alert(alert.id, BY_ITSELF, &note)?;
            }
            Ok(())
        };
        services.store().write(resolve).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestDaemon, by_operator, sandbox};
    use wayhaven_shared::control::Role;
    use wayhaven_shared::operation::Reported;
    use wayhaven_shared::operations::Reply;
    use wayhaven_shared::operations::status::Status;

    /// Looks after Discord has answered, so often that what it said before is outvoted.
    async fn look_again(test: &TestDaemon) {
        for _ in 0..16 {
            test.systems.services.rest().gateway().await.unwrap();
        }
        look(&test.systems.services).await.unwrap();
    }

    async fn alerts(test: &TestDaemon, all: bool) -> Vec<wayhaven_shared::operations::alert::Alert> {
        let filter = AlertFilter { kind: Some(KIND.into()), all, ..AlertFilter::default() };
        test.read(move |view| view.alerts(&filter, 10).unwrap()).await
    }

    #[tokio::test]
    async fn a_clock_that_is_off_is_one_alert_until_it_is_right_again() {
        let sandbox = sandbox(0).await;
        let test = TestDaemon::start(&sandbox).await;
        look_again(&test).await;
        assert!(alerts(&test, true).await.is_empty());
        test.systems.services.clock().shift(120_000);
        for _ in 0..2 {
            look_again(&test).await;
        }
        let [alert] = &alerts(&test, false).await[..] else { panic!("not one alert") };
        assert_eq!((alert.severity, alert.occurrences), (Severity::High, 1));
        let details = alert.details.line();
        assert!(
            details.contains("120 s ahead")
                || details.contains("119 s ahead")
                || details.contains("121 s ahead")
        );
        let status = test.ask(by_operator(Role::Observer, None, Status {}.into())).await.unwrap();
        let Reply::Status(status) = status else { panic!("{status:?}") };
        let off = status.clock_offset_ms.unwrap() + 120_000;
        assert!(off.abs() <= 2_000, "{off}");
        assert!(format!("{:?}", status.report()).contains("ahead of Discord's clock"));

        test.systems.services.clock().shift(-120_000);
        look_again(&test).await;
        assert!(alerts(&test, false).await.is_empty());
        let [alert] = &alerts(&test, true).await[..] else { panic!("not one alert") };
        let resolution = alert.resolved.as_ref().unwrap();
        assert_eq!(resolution.by.raw(), BY_ITSELF);
        assert!(resolution.reason.line().contains("agrees with Discord's clock again"));
    }
}
