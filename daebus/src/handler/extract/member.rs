use std::sync::Arc;

use daebus_caller::Instance;

use super::Extract;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::kind::MemberHook;

impl Extract<MemberHook> for Instance {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        let missing = || Failure::internal("this handler is not a member hook, so it has no `Instance`");
        cx.extensions().get::<Arc<Self>>().map(|member| (**member).clone()).ok_or_else(missing)
    }
}
