"""The operations with which the system tests ask, each within what a front end would send."""

ENDS = "$first: Int, $after: String, $last: Int, $before: String"
PAGE = "first: $first, after: $after, last: $last, before: $before"
INFO = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"

ENTRY = """
fragment Entry on Activity {
  id kind direction subject remark sender recipients messageId mailDate occurredAt vip
  contactReference propertyReference
  bookings { mailbox { address } part decisiveAt user { login } }
}
"""

FEED = f"""
query Feed({ENDS}, $filter: ActivityFilter) {{
  activities({PAGE}, filter: $filter) {{
    totalCount nodes {{ ...Entry }} edges {{ cursor node {{ id }} }} {INFO}
  }}
}}
{ENTRY}
"""

SHORT_FEED = f"""
query ShortFeed({ENDS}, $filter: ActivityFilter) {{
  activities({PAGE}, filter: $filter) {{ totalCount edges {{ cursor }} nodes {{ id }} {INFO} }}
}}
"""

LISTS = 5
"""So many lists are asked for in one operation."""

FEEDS = f"""
query Feeds({", ".join(f"$f{n}: ActivityFilter" for n in range(LISTS))}) {{
  {"".join(f"f{n}: activities(first: 100, filter: $f{n}) {{ totalCount nodes {{ id }} }} " for n in range(LISTS))}
}}
"""

POSITION = f"""
query Position($cursor: String!) {{
  after: activities(first: 3, after: $cursor) {{ nodes {{ id }} {INFO} }}
  before: activities(last: 3, before: $cursor) {{ nodes {{ id }} {INFO} }}
}}
"""

MAILBOX_FEED = f"""
query MailboxFeed($id: ID!, {ENDS}, $filter: ActivityFilter) {{
  node(id: $id) {{ ... on Mailbox {{
    activities({PAGE}, filter: $filter) {{ totalCount edges {{ cursor }} nodes {{ id }} {INFO} }}
  }} }}
}}
"""

NODES = f"""
query Nodes($ids: [ID!]!) {{ nodes(ids: $ids) {{ __typename id ...Entry }} }}
{ENTRY}
"""

NODE = f"""
query OneNode($id: ID!) {{ node(id: $id) {{ __typename id ...Entry }} }}
{ENTRY}
"""

MAILBOXES = f"""
query Mailboxes({ENDS}, $search: String) {{
  mailboxes({PAGE}, search: $search) {{
    totalCount {INFO}
    nodes {{
      id address emailName effectiveEmailName vip active automaticBooking
      viewerIsAssigned viewerCanAdminister
      assignedUsers {{ totalCount nodes {{ id login }} }}
      assignments {{ totalCount nodes {{ id from until user {{ login }} mailbox {{ address }} }} }}
      activities(first: 5) {{ totalCount nodes {{ id }} {INFO} }}
    }}
  }}
}}
"""

USERS = f"""
query Users({ENDS}, $search: String, $state: UserState) {{
  users({PAGE}, search: $search, state: $state) {{
    totalCount {INFO}
    nodes {{
      id login firstName lastName emailName language role state
      email officeGroups activityReadLevel agentsLogReadLevel
      mailboxes {{ totalCount nodes {{ id address }} }}
    }}
  }}
}}
"""

AGENCY = """
query OwnAgency { agency { id name domains modules { name enabled } officeGroups } viewer { id login } }
"""

ERRORS = "errors { __typename code message path }"

BOOK = f"""
mutation Book($input: BookMailInput!) {{ bookMail(input: $input) {{ activities {{ ...Entry }} {ERRORS} }} }}
{ENTRY}
"""

ASSIGN = f"""
mutation Assign($mailbox: ID!, $user: ID!) {{
  assignUser(mailboxId: $mailbox, userId: $user) {{
    assignment {{ id from until user {{ login }} mailbox {{ address }} }} {ERRORS}
  }}
}}
"""

UNASSIGN = f"""
mutation Unassign($mailbox: ID!, $user: ID!) {{
  unassignUser(mailboxId: $mailbox, userId: $user) {{
    assignment {{ id from until user {{ login }} mailbox {{ address }} }} {ERRORS}
  }}
}}
"""

VIP = """
mutation Vip($mailbox: ID!, $vip: Boolean!, $confirm: Boolean) {
  setMailboxVip(mailboxId: $mailbox, vip: $vip, confirm: $confirm) {
    mailbox { id vip }
    errors { __typename code message path ... on ConfirmationRequiredError { entriesOpened } }
  }
}
"""

RIGHTS = f"""
mutation Rights($user: ID!, $input: SetUserRightsInput!) {{
  setUserRights(userId: $user, input: $input) {{ user {{ id login }} {ERRORS} }}
}}
"""

BOX_NAME = f"""
mutation BoxName($mailbox: ID!, $name: String) {{
  setMailboxEmailName(mailboxId: $mailbox, emailName: $name) {{ mailbox {{ id emailName }} {ERRORS} }}
}}
"""

USER_NAME = f"""
mutation UserName($user: ID!, $name: String) {{
  setUserEmailName(userId: $user, emailName: $name) {{ user {{ id emailName }} {ERRORS} }}
}}
"""

PERIODS = f"""
query Periods($id: ID!, {ENDS}) {{
  node(id: $id) {{ ... on Mailbox {{ assignments({PAGE}) {{
    totalCount nodes {{ id from until user {{ id login }} }} {INFO}
  }} }} }}
}}
"""

BOOKED = f"""
subscription Booked($filter: ActivityFilter) {{ activityBooked(filter: $filter) {{ ...Entry }} }}
{ENTRY}
"""

CREATE_MAILBOX = f"""
mutation CreateMailbox($input: CreateMailboxInput!) {{
  createMailbox(input: $input) {{ mailbox {{ id address vip }} {ERRORS} }}
}}
"""

STATE = f"""
mutation State($user: ID!, $state: UserState!) {{
  setUserState(userId: $user, state: $state) {{ user {{ id state }} {ERRORS} }}
}}
"""

MODULE = f"""
mutation Module($agency: ID!, $module: ModuleName!, $enabled: Boolean!) {{
  setModule(agencyId: $agency, module: $module, enabled: $enabled) {{
    agency {{ id modules {{ name enabled }} }} {ERRORS}
  }}
}}
"""
