//! What an attribute sets: timeouts, schedules, thread options.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;

use crate::attr::{Background, Overlap, Restart, Thread, When};
use crate::private::Private;

pub(super) fn within(private: &Private, timeout: Option<Duration>) -> Option<TokenStream> {
    let timeout = duration(private, timeout?);
    Some(quote!(.timeout(#timeout)))
}

fn duration(private: &Private, duration: Duration) -> TokenStream {
    let p = private.here();
    let (secs, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(#p::core::time::Duration::new(#secs, #nanos))
}

pub(super) fn schedule(private: &Private, background: &Background) -> TokenStream {
    let p = private.here();
    let when = match &background.when {
        When::Every(interval) => {
            let interval = duration(private, *interval);
            quote!(#p::Schedule::every(#interval))
        }
        When::Cron { expression, zone } => {
            let zone = zone.as_ref().map(|zone| quote!(.tz(#zone)));
            quote!(#p::Schedule::cron(#expression) #zone)
        }
    };
    let jitter = background.jitter.map(|jitter| {
        let jitter = duration(private, jitter);
        quote!(.jitter(#jitter))
    });
    let overlap = background.overlap.map(|overlap| {
        let overlap = match overlap {
            Overlap::Skip => quote!(Skip),
            Overlap::Queue => quote!(Queue),
            Overlap::Allow => quote!(Allow),
        };
        quote!(.overlap(#p::Overlap::#overlap))
    });
    let immediate = background.immediate.then(|| quote!(.immediate()));
    let singleton = background.singleton.then(|| quote!(.singleton()));
    quote!(#when #jitter #overlap #immediate #singleton)
}

pub(super) fn thread_options(private: &Private, thread: &Thread) -> TokenStream {
    let p = private.here();
    let auto_start = thread.auto_start.map(|auto_start| quote!(.auto_start(#auto_start)));
    let restart = thread.restart.map(|restart| {
        let restart = match restart {
            Restart::Never => quote!(Never),
            Restart::OnFailure => quote!(OnFailure),
        };
        quote!(.restart(#p::Restart::#restart))
    });
    quote!(#p::ThreadOptions::new() #auto_start #restart)
}
