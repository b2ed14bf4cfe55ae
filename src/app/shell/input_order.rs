//! Keys and clicks in the order in which they came. egui takes all that came since the last image at once, and a click that moves
//! the focus is looked at before the letters: on a slow machine the last letter typed before a click, or the first one after it, is
//! then lost, or goes elsewhere; and so are letters after a key that moves the focus. What came after the other kind waits for the next
//! image. Nothing is dropped.

use egui::{Event, Key};

/// What waits for its image.
#[derive(Debug, Default)]
pub(crate) struct InputOrder {
    waiting: Vec<Event>,
}

impl InputOrder {
    /// Takes what came, and leaves in `events` what may be looked at now; whether something waits.
    pub(crate) fn take(&mut self, events: &mut Vec<Event>) -> bool {
        self.waiting.append(events);
        let later = self.waiting.split_off(together(&self.waiting));
        *events = std::mem::replace(&mut self.waiting, later);
        !self.waiting.is_empty()
    }
}

/// How many of these events may be looked at together: letters before a click, or clicks, and nothing after them of the other kind.
fn together(events: &[Event]) -> usize {
    let (mut typed, mut clicked, mut left) = (false, false, false);
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::PointerButton { .. } | Event::Touch { .. } => {
                if typed {
                    return at;
                }
                clicked = true;
            }
            Event::Text(_) | Event::Key { .. } | Event::Paste(_) | Event::Cut | Event::Copy | Event::Ime(_) => {
                if clicked || (left && !matches!(event, Event::Key { pressed: false, .. })) {
                    return at;
                }
                typed = true;
                // Leaves a field: what is typed next belongs to another one, or to none.
                left |= matches!(event, Event::Key { key: Key::Tab | Key::Enter | Key::Escape, pressed: true, .. });
            }
            _ => {}
        }
    }
    events.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::{Modifiers, PointerButton, pos2};

    fn button(pressed: bool) -> Event {
        Event::PointerButton {
            pos: pos2(1.0, 2.0),
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        }
    }

    #[test]
    fn letters_and_clicks_keep_their_order_and_none_is_lost() {
        let text = |t: &str| Event::Text(t.into());
        let moved = Event::PointerMoved(pos2(5.0, 5.0));
        let all = vec![text("4"), text("2"), moved, button(true), button(false), text("A"), button(true)];
        let mut order = InputOrder::default();
        let mut came = all.clone();
        let mut textures = Vec::new();
        loop {
            let more = order.take(&mut came);
            textures.push(std::mem::take(&mut came));
            if !more {
                break;
            }
        }
        assert_eq!(textures.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2, 1, 1]);
        assert_eq!(textures.concat(), all);
        // A digit right behind the key that leaves a field.
        let tab =
            Event::Key { key: Key::Tab, physical_key: None, pressed: true, repeat: false, modifiers: Modifiers::NONE };
        let mut came = vec![text("T"), text("1"), tab.clone(), text("1"), text("2")];
        assert!(order.take(&mut came));
        assert_eq!(came, [text("T"), text("1"), tab]);
        let mut came = Vec::new();
        assert!(!order.take(&mut came));
        assert_eq!(came, [text("1"), text("2")]);
        // What comes meanwhile stands behind what waits.
        let mut came = vec![text("1"), button(true)];
        assert!(order.take(&mut came));
        let mut later = vec![button(false), text("2")];
        assert!(order.take(&mut later));
        assert_eq!(later, [button(true), button(false)]);
    }
}
