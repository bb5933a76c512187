// Runs calls of ucloud-sdk-go, unchanged. Standard input: JSON lines {"call": ..., "json": bool, "with": {...}}; one line
// of JSON comes out for each: what the SDK made of the answer, or "error" with what it made of the refusal.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/ucloud/ucloud-sdk-go/services/iam"
	"github.com/ucloud/ucloud-sdk-go/services/stepflow"
	"github.com/ucloud/ucloud-sdk-go/services/uaccount"
	"github.com/ucloud/ucloud-sdk-go/services/uhub"
	"github.com/ucloud/ucloud-sdk-go/ucloud"
	"github.com/ucloud/ucloud-sdk-go/ucloud/auth"
	uerr "github.com/ucloud/ucloud-sdk-go/ucloud/error"
	"github.com/ucloud/ucloud-sdk-go/ucloud/request"
	"github.com/ucloud/ucloud-sdk-go/ucloud/response"
)

type order struct {
	Call string                 `json:"call"`
	JSON bool                   `json:"json"`
	With map[string]interface{} `json:"with"`
}

type sdk struct {
	config     ucloud.Config
	credential auth.Credential
}

func main() {
	s := sdk{config: ucloud.NewConfig(), credential: auth.NewCredential()}
	s.config.BaseUrl = os.Getenv("HUB_URL")
	s.config.Region, s.config.Zone, s.config.ProjectId = "cn-bj2", "cn-bj2-01", os.Getenv("HUB_PROJECT")
	s.credential.PublicKey, s.credential.PrivateKey = os.Getenv("HUB_PUBLIC_KEY"), os.Getenv("HUB_PRIVATE_KEY")

	out := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var one order
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		answer, err := s.run(one)
		line := map[string]interface{}{"answer": answer}
		if err != nil {
			line["error"] = told(err)
		}
		if err := out.Encode(line); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
}

func told(err error) map[string]interface{} {
	if known, ok := err.(uerr.Error); ok {
		return map[string]interface{}{
			"name": known.Name(), "code": known.Code(), "status": known.StatusCode(),
			"message": known.Message(), "retryable": known.Retryable(),
		}
	}
	return map[string]interface{}{"name": "unknown", "message": err.Error()}
}

// fill sets the typed fields of a request from the order, as a program would that assigns them one by one.
func fill(req interface{}, with map[string]interface{}) error {
	text, err := json.Marshal(with)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, req)
}

func (s sdk) ready(req request.Common, one order) error {
	if one.JSON {
		req.SetEncoder(request.NewJSONEncoder(&s.config, &s.credential))
	}
	return fill(req, one.With)
}

func (s sdk) run(one order) (interface{}, error) {
	repos := uhub.NewClient(&s.config, &s.credential)
	account := uaccount.NewClient(&s.config, &s.credential)
	members := iam.NewClient(&s.config, &s.credential)
	switch one.Call {
	case "invoke":
		client := ucloud.NewClient(&s.config, &s.credential)
		req := client.NewGenericRequest()
		if one.JSON {
			req.SetEncoder(request.NewJSONEncoder(&s.config, &s.credential))
		}
		if err := req.SetPayload(one.With); err != nil {
			return nil, err
		}
		resp, err := client.GenericInvoke(req)
		if err != nil {
			return nil, err
		}
		return map[string]interface{}{"payload": resp.GetPayload(), "uuid": resp.GetRequestUUID()}, nil
	case "CreateRepo":
		req := repos.NewCreateRepoRequest()
		return call(s, req, one, func() (response.Common, error) { return repos.CreateRepo(req) })
	case "UpdateRepo":
		req := repos.NewUpdateRepoRequest()
		return call(s, req, one, func() (response.Common, error) { return repos.UpdateRepo(req) })
	case "DeleteRepo":
		req := repos.NewDeleteRepoRequest()
		return call(s, req, one, func() (response.Common, error) { return repos.DeleteRepo(req) })
	case "DeleteRepoImage":
		req := repos.NewDeleteRepoImageRequest()
		return call(s, req, one, func() (response.Common, error) { return repos.DeleteRepoImage(req) })
	case "GetRepo":
		req := repos.NewGetRepoRequest()
		return call(s, req, one, func() (response.Common, error) { return repos.GetRepo(req) })
	case "GetRepoImage":
		req := repos.NewGetRepoImageRequest()
		return call(s, req, one, func() (response.Common, error) { return repos.GetRepoImage(req) })
	case "GetImageTag":
		req := repos.NewGetImageTagRequest()
		return call(s, req, one, func() (response.Common, error) { return repos.GetImageTag(req) })
	case "GetRegion":
		req := account.NewGetRegionRequest()
		return call(s, req, one, func() (response.Common, error) { return account.GetRegion(req) })
	case "GetProjectList":
		req := account.NewGetProjectListRequest()
		return call(s, req, one, func() (response.Common, error) { return account.GetProjectList(req) })
	case "GetUserInfo":
		req := account.NewGetUserInfoRequest()
		return call(s, req, one, func() (response.Common, error) { return account.GetUserInfo(req) })
	case "ListUsers":
		req := members.NewListUsersRequest()
		return call(s, req, one, func() (response.Common, error) { return members.ListUsers(req) })
	case "CreateSFWorkflowFromTemplate":
		flows := stepflow.NewClient(&s.config, &s.credential)
		req := flows.NewCreateSFWorkflowFromTemplateRequest()
		return call(s, req, one, func() (response.Common, error) { return flows.CreateSFWorkflowFromTemplate(req) })
	}
	return nil, fmt.Errorf("no such call: %s", one.Call)
}

func call(s sdk, req request.Common, one order, send func() (response.Common, error)) (interface{}, error) {
	if err := s.ready(req, one); err != nil {
		return nil, err
	}
	return send()
}
