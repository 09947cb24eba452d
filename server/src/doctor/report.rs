//! What a doctor found, in words and for machines.

use std::fmt::Write;

use kew_engine::audit::Holding;
use kew_store::doctor::{Checkup, Examination, Loss};
use serde_json::{Value, json};

use crate::progress::bytes;

/// In words; with the plan of a repair, if one is wanted.
pub(crate) fn text(examined: &Examination, repair: bool) -> String {
    let mut out = String::new();
    // Writing into a text does not fail.
    let _ = write_text(&mut out, examined, repair);
    out
}

fn write_text(out: &mut String, examined: &Examination, repair: bool) -> std::fmt::Result {
    let path = examined.path.display();
    for (number, checkup) in &examined.shards {
        write_shard(out, *number, checkup)?;
    }
    for note in &examined.notes {
        writeln!(out, "{note}")?;
    }
    let damage: Vec<_> = examined.damage().collect();
    if damage.is_empty() {
        return writeln!(out, "{path} is sound.");
    }
    writeln!(out, "{path} is DAMAGED:")?;
    for damage in &damage {
        writeln!(out, "  {damage}")?;
    }
    for (number, checkup) in &examined.shards {
        if !checkup.is_sound() {
            write_plan(out, *number, checkup)?;
        }
    }
    if repair {
        return writeln!(out, "What is there now will be kept in {}.", examined.aside().display());
    }
    writeln!(
        out,
        "Nothing was changed. Restore the directory from a backup (`kew restore`), or let `kew doctor --repair {path}` do what stands above."
    )
}

fn write_shard(out: &mut String, number: u32, checkup: &Checkup) -> std::fmt::Result {
    writeln!(out, "shard {number} ({})", checkup.location)?;
    for file in &checkup.files {
        writeln!(out, "  {:<26} {:<10} {:>11}  {}", file.name, file.kind, bytes(file.bytes), file.state)?;
    }
    if let Some(cut) = &checkup.cut {
        writeln!(
            out,
            "  a torn end of {} at offset {} of {}: a write was under way when the process ended. Nobody was answered about it, and the next start cuts it off: this is no damage.",
            bytes(cut.bytes),
            cut.offset,
            cut.file
        )?;
    }
    for note in &checkup.notes {
        writeln!(out, "  {note}")?;
    }
    if !checkup.departed.is_empty() {
        writeln!(out, "  {} messages are on their way to queues in other shards", checkup.departed.len())?;
    }
    if checkup.queues.is_empty() {
        return writeln!(out);
    }
    writeln!(
        out,
        "\n  {:<40} {:<8} {:>10} {:>10} {:>10} {:>10}  oldest",
        "queue", "type", "visible", "in flight", "delayed", "cold"
    )?;
    for queue in &checkup.queues {
        let stats = &queue.stats;
        writeln!(
            out,
            "  {:<40} {:<8} {:>10} {:>10} {:>10} {:>10}  {}",
            name(queue),
            kind(queue),
            stats.visible,
            stats.in_flight,
            stats.delayed,
            queue.cold,
            age(queue, checkup)
        )?;
    }
    writeln!(out)
}

fn write_plan(out: &mut String, number: u32, checkup: &Checkup) -> std::fmt::Result {
    if let Some(obstacle) = &checkup.obstacle {
        return writeln!(out, "Shard {number} cannot be repaired: {obstacle}. Restore it from a backup.");
    }
    writeln!(out, "A repair of shard {number} would make it anew from all that is whole, and")?;
    let Loss { messages, batches, facts, is_uncertain } = &checkup.loss;
    for (queue, count) in messages {
        writeln!(
            out,
            "  - lose {count} messages of the queue {} ({}, {})",
            queue.name, queue.account, queue.region
        )?;
    }
    if *batches > 0 || *is_uncertain {
        writeln!(out, "  - go back to the last moment before the damage of the journal")?;
    }
    if *is_uncertain {
        writeln!(out, "  - lose what the damaged bytes themselves told of, which nobody can know")?;
    }
    if *batches > 0 {
        writeln!(out, "  - undo {batches} whole batches behind it, which tell of")?;
        for (id, key) in &facts.created {
            writeln!(out, "      a queue created: {} (number {id})", key.name)?;
        }
        let queue = |id: &u64| {
            let known = checkup.queues.iter().find(|queue| queue.queue == *id).map(|queue| &queue.stats.key);
            let key = known.or_else(|| facts.created.get(id));
            key.map_or_else(|| format!("number {id}"), |key| key.name.to_string())
        };
        for (id, count) in &facts.sent {
            writeln!(out, "      {count} messages sent to the queue {}: they are lost", queue(id))?;
        }
        for (id, count) in &facts.moved {
            writeln!(
                out,
                "      {count} messages moved to the queue {}: they come back to where they were",
                queue(id)
            )?;
        }
        for (id, count) in &facts.deleted {
            writeln!(
                out,
                "      {count} messages deleted from the queue {}: they come back if they were there before",
                queue(id)
            )?;
        }
        if facts.emptied > 0 {
            writeln!(out, "      {} deletions or purges of queues: their messages come back", facts.emptied)?;
        }
        if facts.others > 0 {
            writeln!(out, "      {} other changes: receives, visibility, attributes, tags", facts.others)?;
        }
    }
    if checkup.loss == Loss::default() {
        writeln!(out, "  - lose nothing")?;
    }
    Ok(())
}

fn name(queue: &Holding) -> String {
    let key = &queue.stats.key;
    format!("{}/{}/{}", key.account, key.region, key.name)
}

fn kind(queue: &Holding) -> &'static str {
    if queue.fifo { "FIFO" } else { "standard" }
}

fn age(queue: &Holding, checkup: &Checkup) -> String {
    let Some(oldest) = queue.stats.oldest else { return "-".into() };
    let seconds = (checkup.now - oldest).0 / 1000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// For machines.
pub(crate) fn json(examined: &Examination) -> Value {
    let damage: Vec<Value> = examined
        .damage()
        .map(|damage| json!({"file": damage.file, "offset": damage.offset, "reason": damage.reason}))
        .collect();
    json!({
        "directory": examined.path.display().to_string(),
        "sound": examined.is_sound(),
        "damage": damage,
        "notes": examined.notes,
        "shards": examined.shards.iter().map(|(number, checkup)| shard(*number, checkup)).collect::<Vec<_>>(),
    })
}

fn shard(number: u32, checkup: &Checkup) -> Value {
    let file = |file: &kew_journal::FileState| json!({"name": file.name, "kind": file.kind.to_string(), "bytes": file.bytes, "state": file.state});
    let queue = |queue: &Holding| {
        let stats = &queue.stats;
        json!({
            "name": &*stats.key.name,
            "account": stats.key.account.to_string(),
            "region": &*stats.key.region,
            "type": kind(queue),
            "visible": stats.visible,
            "in_flight": stats.in_flight,
            "delayed": stats.delayed,
            "cold": queue.cold,
            "oldest_sent_ms": stats.oldest.map(|at| at.0),
        })
    };
    let lost =
        checkup.loss.messages.iter().map(|(queue, count)| json!({"queue": &*queue.name, "messages": count}));
    let repair = match (&checkup.obstacle, checkup.is_sound()) {
        (_, true) => Value::Null,
        (Some(obstacle), _) => json!({"possible": false, "reason": obstacle}),
        (None, _) => json!({
            "possible": true,
            "lost": lost.collect::<Vec<_>>(),
            "undone_batches": checkup.loss.batches,
            "unknown_losses": checkup.loss.is_uncertain,
        }),
    };
    json!({
        "shard": number,
        "location": checkup.location,
        "sound": checkup.is_sound(),
        "as_of_ms": checkup.now.0,
        "torn_end": checkup.cut.as_ref().map(|cut| json!({"file": cut.file, "offset": cut.offset, "bytes": cut.bytes})),
        "notes": checkup.notes,
        "files": checkup.files.iter().map(file).collect::<Vec<_>>(),
        "between_shards": checkup.departed.len(),
        "queues": checkup.queues.iter().map(queue).collect::<Vec<_>>(),
        "repair": repair,
    })
}
