"""Who a mail says it is from, set right on its way out (a milter for Postfix's submission service)."""
