//! News of objects that are being made. The engine may tell of a consumer or a producer before the session that asked for
//! it has its answer, and so before the room knows it; such news is kept until then.

use std::collections::VecDeque;

use crate::limits::EARLY_NEWS_MAX;

/// What was told of objects that the room does not know yet, while some are being made.
#[derive(Debug)]
pub(super) struct Early<Id, News> {
    /// Objects being made.
    making: usize,
    news: VecDeque<(Id, News)>,
}

impl<Id, News> Default for Early<Id, News> {
    fn default() -> Self {
        Self { making: 0, news: VecDeque::new() }
    }
}

impl<Id: PartialEq, News> Early<Id, News> {
    /// Somebody asks the engine for an object.
    pub(super) fn begin(&mut self) {
        self.making += 1;
    }

    /// The engine has answered somebody who asked. Once nobody waits for an answer, what is left is of objects that are
    /// gone.
    pub(super) fn end(&mut self) {
        self.making = self.making.saturating_sub(1);
        if self.making == 0 {
            self.news = VecDeque::new();
        }
    }

    /// Keeps news of an unknown object: of one that is being made, if any is, or of one that is gone.
    pub(super) fn keep(&mut self, id: Id, news: News) {
        if self.making == 0 {
            return;
        }
        if self.news.len() >= EARLY_NEWS_MAX {
            self.news.pop_front();
        }
        self.news.push_back((id, news));
    }

    /// What was told of an object that is known from now on, in order.
    pub(super) fn take(&mut self, id: &Id) -> Vec<News> {
        let (own, others) = std::mem::take(&mut self.news).into_iter().partition(|(of, _)| of == id);
        self.news = others;
        let own: VecDeque<_> = own;
        own.into_iter().map(|(_, news)| news).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_is_kept_for_as_long_as_something_is_being_made() {
        let mut early = Early::default();
        early.keep(1, 'a');
        assert!(early.take(&1).is_empty(), "nothing is being made: it is of an object that is gone");
        early.begin();
        early.begin();
        for (id, news) in [(1, 'a'), (2, 'b'), (1, 'c')] {
            early.keep(id, news);
        }
        assert_eq!(early.take(&1), ['a', 'c']);
        assert!(early.take(&1).is_empty());
        early.end();
        assert_eq!(early.take(&2), ['b']);
        early.keep(3, 'd');
        early.end();
        early.begin();
        assert!(early.take(&3).is_empty());
    }

    #[test]
    fn at_the_limit_the_oldest_news_goes() {
        let mut early = Early::default();
        early.begin();
        for id in 0..=EARLY_NEWS_MAX {
            early.keep(id, ());
        }
        assert_eq!(early.news.len(), EARLY_NEWS_MAX);
        assert!(early.take(&0).is_empty());
        assert_eq!(early.take(&EARLY_NEWS_MAX).len(), 1);
    }
}
