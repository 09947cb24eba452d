use super::script::check;

#[test]
fn creating_again_is_idempotent_unless_an_attribute_differs() {
    check(
        "create q DelaySeconds=5
         create q
         create q DelaySeconds=5
         create q DelaySeconds=6 => QueueNameExists
         set q DelaySeconds=6
         create q DelaySeconds=6",
    );
}

#[test]
fn a_deleted_name_must_wait_sixty_seconds() {
    check(
        "create q
         send q a
         drop q
         send q b => QueueDoesNotExist
         create q => QueueDeletedRecently
         crash
         +59
         create q => QueueDeletedRecently
         +1
         create q
         count q => 0/0/0",
    );
}

#[test]
fn queues_are_listed_by_prefix_in_order() {
    check(
        "create b1
         create a1
         create b2
         list => a1 b1 b2
         list b => b1 b2
         list c =>",
    );
}

#[test]
fn fifty_tags_are_the_most() {
    let tags: Vec<String> = (0..50).map(|number| format!("k{number}=v")).collect();
    check(&format!(
        "create q
         tag q {}
         tag q k0=w
         tag q k50=v => InvalidParameterValueException",
        tags.join(" ")
    ));
}
