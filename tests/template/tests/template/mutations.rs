//! The changes that break each rule.

use crate::{RULES, broken_rules, text};

#[test]
fn every_rule_detects_the_changes_that_break_it() {
    // The number of the rule, and a text of the template with its replacement.
    let changes = [
        (0, "    Default: 360\n", "    Default: 359\n"),
        (0, "    MinValue: 60\n", "    MinValue: 59\n"),
        (
            0,
            "VisibilityTimeout: !Ref VisibilitySeconds",
            "VisibilityTimeout: 359",
        ),
        (0, "      VisibilityTimeout: !Ref VisibilitySeconds\n", ""),
        (0, "    MaxValue: 60\n", "    MaxValue: 61\n"),
        (0, "    MaxValue: 60\n", ""),
        (0, "Timeout: !Ref TicketsTimeout", "Timeout: 900"),
        (0, "      Timeout: !Ref TicketsTimeout\n", ""),
        (
            0,
            "  IngestLogs:\n    Type: AWS::Logs::LogGroup",
            "  IngestLogs:\n    Type: AWS::Lambda::EventSourceMapping",
        ),
        (
            1,
            "Action: sqs:SendMessage\n                Resource: !GetAtt DeadLetterQueue.Arn",
            "Action: sqs:SendMessage\n                Resource: !GetAtt EventQueue.Arn",
        ),
        (
            1,
            "[sqs:ReceiveMessage, sqs:DeleteMessage,",
            "[sqs:ReceiveMessage, sqs:SendMessageBatch, sqs:DeleteMessage,",
        ),
        (
            1,
            "[sqs:ReceiveMessage, sqs:DeleteMessage,",
            "[sqs:ReceiveMessage, 'SQS:Send*', sqs:DeleteMessage,",
        ),
        (
            1,
            "Resource: !GetAtt DeadLetterQueue.Arn",
            "Resource: [!GetAtt DeadLetterQueue.Arn, !Sub 'arn:aws:sqs:*:*:*']",
        ),
        (
            2,
            "        deadLetterTargetArn: !GetAtt DeadLetterQueue.Arn\n",
            "",
        ),
        (
            2,
            "  DeadLetterQueue:\n    Type: AWS::SQS::Queue",
            "  Lonely:\n    Type: AWS::SQS::Queue\n  DeadLetterQueue:\n    Type: AWS::SQS::Queue",
        ),
        (
            2,
            "deadLetterTargetArn: !GetAtt DeadLetterQueue.Arn",
            "deadLetterTargetArn: !GetAtt Elsewhere.Arn",
        ),
        (2, "      SqsManagedSseEnabled: true\n", ""),
        (
            2,
            "MessageRetentionPeriod: 1209600\n",
            "MessageRetentionPeriod: 345600\n",
        ),
        (
            3,
            "Action: [sqs:SendMessage, sqs:SendMessageBatch]",
            "Action: sqs:SendMessage*",
        ),
        (
            3,
            "Action: [dynamodb:BatchGetItem, dynamodb:PutItem, dynamodb:UpdateItem]",
            "Action: '*'",
        ),
        (
            3,
            "Action: [dynamodb:BatchGetItem, dynamodb:PutItem, dynamodb:UpdateItem]",
            "NotAction: [dynamodb:DeleteTable]",
        ),
        (3, "Resource: !GetAtt ConfigTable.Arn", "Resource: '*'"),
        (
            3,
            "Resource: !GetAtt ConfigTable.Arn",
            "Resource: !Sub arn:${AWS::Partition}:dynamodb:*:*:table/*",
        ),
        (3, "ticketbridge/${Stage}/source/*", "ticketbridge/*"),
        (3, "${ClientIdSecret}-??????", "${ClientIdSecret}*"),
        (
            3,
            "[xray:PutTraceSegments, xray:PutTelemetryRecords]",
            "[xray:PutTraceSegments, s3:GetObject]",
        ),
        (
            4,
            "Role: !GetAtt TicketsRole.Arn",
            "Role: !GetAtt IngestRole.Arn",
        ),
        (4, "      Role: !GetAtt TicketsRole.Arn\n", ""),
        (
            4,
            "Principal: { Service: lambda.amazonaws.com }",
            "Principal: { AWS: !Ref AWS::AccountId }",
        ),
        (
            4,
            "RoleArn: !GetAtt ReconcileTickRole.Arn",
            "RoleArn: !GetAtt ReconcileRole.Arn",
        ),
        (4, "        RoleArn: !GetAtt ReconcileTickRole.Arn\n", ""),
        (
            4,
            "Principal: { Service: scheduler.amazonaws.com }",
            "Principal: { Service: lambda.amazonaws.com }",
        ),
        (
            4,
            "      Policies:\n        - PolicyName: tickets",
            "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]\n      Policies:\n        - PolicyName: tickets",
        ),
        (
            4,
            "  IngestLogs:\n    Type: AWS::Logs::LogGroup",
            "  IngestLogs:\n    Type: AWS::IAM::ManagedPolicy",
        ),
        (
            4,
            "Role: !GetAtt TicketsRole.Arn",
            "Role: !GetAtt TicketsRole.Arn\n      Policies: [AmazonSQSFullAccess]",
        ),
        (
            5,
            "/aws/lambda/${AWS::StackName}-tickets\n      RetentionInDays: !Ref LogRetentionDays",
            "/aws/lambda/${AWS::StackName}-tickets",
        ),
        (
            5,
            "{ LogGroup: !Ref TicketsLogs, ",
            "{ LogGroup: !Ref IngestLogs, ",
        ),
        (5, "{ LogGroup: !Ref TicketsLogs, ", "{ "),
        (
            5,
            "DestinationArn: !GetAtt ApiLogs.Arn",
            "DestinationArn: !GetAtt Nowhere.Arn",
        ),
        (6, "      SSESpecification: { SSEEnabled: true }\n", ""),
        (
            6,
            "PointInTimeRecoveryEnabled: true",
            "PointInTimeRecoveryEnabled: false",
        ),
        (6, "    DeletionPolicy: Retain\n", ""),
        (
            6,
            "UpdateReplacePolicy: Retain",
            "UpdateReplacePolicy: Delete",
        ),
        (7, "      AuthorizationType: NONE\n", ""),
        (
            7,
            "        ANY /setup: { ThrottlingRateLimit: 20, ThrottlingBurstLimit: 40 }\n",
            "",
        ),
        (
            7,
            "ANY /setup/{proxy+}: { ThrottlingRateLimit: 20,",
            "ANY /setup/{proxy+}: { ThrottlingRateLimit: 51,",
        ),
        (
            7,
            "DependsOn: [IngestRoute, PageRoute,",
            "DependsOn: [IngestRoute,",
        ),
        (
            7,
            "RouteKey: POST /v1/events/{source}",
            "RouteKey: $default",
        ),
        (
            7,
            "      Events:\n        Queue:\n          Type: SQS",
            "      Events:\n        Web: { Type: HttpApi }\n        Queue:\n          Type: SQS",
        ),
        (
            7,
            "Role: !GetAtt IngestRole.Arn",
            "Role: !GetAtt IngestRole.Arn\n      FunctionUrlConfig: { AuthType: NONE }",
        ),
        (7, "      SourceArn: !Sub", "      Description: !Sub"),
        (7, "AuthorizationType: AWS_IAM", "AuthorizationType: NONE"),
        (
            8,
            "{ \"ses:FromAddress\": !Ref MailFrom }",
            "{ \"ses:FromAddress\": anybody@example.com }",
        ),
        (8, "StringEquals: { \"ses:", "StringLike: { \"ses:"),
        (9, " See docs/runbook.md, UnfinishedAlarm", ""),
        (
            9,
            "docs/runbook.md, UnfinishedAlarm",
            "docs/runbook.md, QueueAgeAlarm",
        ),
        (9, "      AlarmActions: [!Ref OperatorTopic]\n", ""),
        (
            9,
            "OKActions: [!Ref OperatorTopic]",
            "OKActions: [!Ref EventQueue]",
        ),
        (
            9,
            "TreatMissingData: breaching",
            "TreatMissingData: missing",
        ),
        (
            9,
            "Dimensions: [{ Name: FunctionName, Value: !Ref TicketsFunction }]",
            "Dimensions: [{ Name: FunctionName, Value: !Ref IngestFunction }]",
        ),
        (
            9,
            "Value: !GetAtt DeadLetterQueue.QueueName",
            "Value: !GetAtt EventQueue.QueueName",
        ),
        (9, "MetricName: health_ticks", "MetricName: reconcile_ticks"),
        (10, "MetricName: mails_failed", "MetricName: mail_failures"),
        (
            10,
            "Dimensions: [{ Name: Stage, Value: !Ref Stage }]",
            "Dimensions: [{ Name: Function, Value: !Ref TicketsFunction }]",
        ),
        (10, "\"duplicate_repaired\"", "\"duplicates_repaired\""),
        (
            10,
            "[\"Ticketbridge\", \"tickets_noted\", \"Stage\", \"${Stage}\"],",
            "",
        ),
        (10, "        STAGE: !Ref Stage\n", "        STAGE: prod\n"),
        (
            11,
            "Action: dynamodb:BatchGetItem\n                Resource: !GetAtt AccessTable.Arn",
            "Action: [dynamodb:BatchGetItem, dynamodb:PutItem]\n                Resource: !GetAtt AccessTable.Arn",
        ),
        (
            11,
            "Action: [dynamodb:BatchGetItem, dynamodb:PutItem, dynamodb:UpdateItem]\n                Resource: !GetAtt ConfigTable.Arn",
            "Action: [dynamodb:BatchGetItem, dynamodb:PutItem, dynamodb:UpdateItem]\n                Resource: [!GetAtt ConfigTable.Arn, !GetAtt AccessTable.Arn]",
        ),
        (
            11,
            "                Condition: { \"ForAllValues:StringLike\": { \"dynamodb:LeadingKeys\": [\"P#*\"] } }\n",
            "",
        ),
        (11, "[\"P#*\", OPERATOR]", "[\"P#*\", OPERATOR, \"S#*\"]"),
    ];
    let text = text();
    for (rule, from, to) in changes {
        assert!(
            text.contains(from),
            "the template has no {from:?} to change"
        );
        let found = broken_rules(&text.replacen(from, to, 1));
        assert!(
            found.contains_key(RULES[rule].0),
            "no rule is broken by {from:?} -> {to:?}: {found:?}"
        );
    }
    for (rule, (name, _)) in RULES.iter().enumerate() {
        assert!(
            changes.iter().any(|(of, _, _)| *of == rule),
            "no change breaks `{name}`"
        );
    }
}
