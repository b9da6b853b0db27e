//! Each operation as people ask for it: by the command line's binary, by the console's palette on a terminal, and by a
//! slash command, where somebody with exactly the permission it needs may, and somebody with every other may not. A new
//! operation is one line of [`rows`].

mod rows;
mod stage;

use rows::Row;
use stage::{Asker, Stage};

async fn play(rows: &[Row]) {
    let mut stage = Stage::new().await;
    for row in rows {
        stage.check(row);
        for asker in Asker::ALL {
            stage.prepare(row, asker).await;
            if asker == Asker::Discord {
                stage.is_refused(row).await;
            }
            stage.asks(row, asker).await;
            stage.was_done(row, asker).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_people_works_from_command_line_palette_and_slash_command_and_needs_its_permission() {
    play(rows::PEOPLE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_deliveries_works_from_command_line_palette_and_slash_command_and_needs_its_permission()
{
    play(rows::SYNC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_trust_works_from_command_line_palette_and_slash_command_and_needs_its_permission() {
    play(rows::TRUST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_links_works_from_command_line_palette_and_slash_command_and_needs_its_permission() {
    play(rows::LINKS).await;
}
